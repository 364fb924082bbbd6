-- KEYS: none. ARGV: the number of the first session, of how many, and the tags that they share out among them.
-- Short ones, that nobody can log in with: 120 bytes in the place of a session's JSON, besides what goes with it.
local first, count = tonumber(ARGV[1]), tonumber(ARGV[2])
local tags = #ARGV - 2
local filler = string.rep('x', 60)
for number = first, first + count - 1 do
  local tag = ARGV[3 + number % tags]
  local digest = redis.sha1hex(number) .. redis.sha1hex('more ' .. number)
  local id = tag .. string.sub(digest, 1, 61)
  local user = string.format('USR_%08X', number)
  local key = 'session:{' .. tag .. '}' .. id
  redis.call('SET', key, '{"user_id":"' .. user .. '","user_agent":"' .. filler .. '"}', 'PX', 604800000)
  redis.call('SET', 'ended:{' .. tag .. '}' .. string.sub(id, 1, 16), 1800000000000, 'PX', 691200000)
  local index = 'user-sessions:{' .. tag .. '}' .. user
  redis.call('ZADD', index, 1800000000000, id)
  redis.call('PEXPIRE', index, 604800000)
end
return count
