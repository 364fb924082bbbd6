-- KEYS: the buckets.
-- ARGV: the time (ms since 1970), 1 to count an event or 0 to look only, then for each bucket how far ahead of the time
-- it may be and by how much an event moves it (ms).
-- Returns for how long there is no room yet (ms); 0 if there is.
local now = tonumber(ARGV[1])
local arrivals, wait = {}, 0
for i, bucket in ipairs(KEYS) do
  -- What is no number ends the script here, before anything is written.
  arrivals[i] = math.max(redis.call('GET', bucket) or now, now)
  wait = math.max(wait, arrivals[i] - now - ARGV[2 * i + 1])
end
if wait == 0 and ARGV[2] == '1' then
  for i, bucket in ipairs(KEYS) do
    local ahead = arrivals[i] - now + ARGV[2 * i + 2]
    redis.call('SET', bucket, string.format('%.0f', now + ahead), 'PX', string.format('%.0f', ahead))
  end
end
return wait
