-- KEYS: the user's index, the user's state.
-- ARGV: the version, the state's time to live in ms.
local index, state = KEYS[1], KEYS[2]
local version, ttl = unpack(ARGV)
raise(state, 'version', version, ttl)
tidy(index)
for _, id in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  local session = parse(look(id))
  if session then
    renew(id, session, version)
  end
end
return redis.status_reply('OK')
