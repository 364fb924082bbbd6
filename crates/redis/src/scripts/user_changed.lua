-- KEYS: the user's index, the user's state.
-- ARGV: the version, the state's time to live in ms.
local index, state = KEYS[1], KEYS[2]
local version, ttl = unpack(ARGV)
tidy(index)
tell(index, state, version, ttl)
return redis.status_reply('OK')
