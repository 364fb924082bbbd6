-- KEYS: the user's index, the user's state.
-- ARGV: what a session's key begins with, the epoch, the version, the state's time to live in ms.
-- The state first: even if the rest fails, no session of an earlier epoch is created from now on.
local index, state = KEYS[1], KEYS[2]
local prefix, epoch, version, ttl = unpack(ARGV)
raise(state, 'epoch', epoch, ttl)
raise(state, 'version', version, ttl)
tidy(index)
local ended = 0
for _, id in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  local session = prefix .. id
  local record = redis.pcall('GET', session)
  local its_epoch, its_version = numbers(record)
  if its_epoch and tonumber(its_epoch) >= tonumber(epoch) then
    renew(session, record, its_version, version)
  else
    -- What can't be read can't be told to be of this epoch, so it goes.
    ended = ended + redis.call('DEL', session)
    redis.call('ZREM', index, id)
  end
end
tidy(index)
return ended
