-- Reports what was done in one line of JSON. `refused` counts the answers that are no success.
done = function(summary)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  local line = '{"report":{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d}}\n'
  io.write(string.format(line, summary.requests, summary.duration, errors.status, broken))
end
