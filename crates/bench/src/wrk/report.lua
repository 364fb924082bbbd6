-- Reports what was done in one line of JSON. `refused` counts the answers that are no success; latencies are in microseconds.
done = function(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  local line = '{"report":{"requests":%d,"microseconds":%d,"refused":%d,"broken":%d,"latencies":[%d,%d,%d]}}\n'
  local p50, p95, p99 = latency:percentile(50), latency:percentile(95), latency:percentile(99)
  io.write(string.format(line, summary.requests, summary.duration, errors.status, broken, p50, p95, p99))
end
