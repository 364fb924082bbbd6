-- KEYS: the user's index, the user's state.
-- ARGV: the version, the state's time to live in ms.
local index, state = KEYS[1], KEYS[2]
local version, ttl = unpack(ARGV)
tidy(index)
-- A user of version 0 was never changed. What was told once needn't be told again.
if tonumber(redis.call('HGET', state, 'version') or '0') >= tonumber(version) then
  return redis.status_reply('OK')
end
local ids = redis.call('ZRANGE', index, 0, -1)
for i, record in ipairs(look_at_all(ids)) do
  if record then
    renew(ids[i], record, version)
  end
end
-- Last: if a session can't be looked at, the next attempt begins again. The first thing that is written takes room, as a
-- script that has written something is refused nothing by a full Redis.
raise(state, 'version', version, ttl)
return redis.status_reply('OK')
