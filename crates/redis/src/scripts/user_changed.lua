-- KEYS: the user's index, the user's state.
-- ARGV: what a session's key begins with, the version, the state's time to live in ms.
local index, state = KEYS[1], KEYS[2]
local prefix, version, ttl = unpack(ARGV)
raise(state, 'version', version, ttl)
tidy(index)
for _, id in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  local session = prefix .. id
  local record = redis.pcall('GET', session)
  local _, its_version = numbers(record)
  if its_version then
    renew(session, record, its_version, version)
  end
end
return redis.status_reply('OK')
