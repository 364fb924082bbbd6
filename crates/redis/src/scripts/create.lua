-- KEYS: the session, the user's index, the user's state.
-- ARGV: the session's id, its epoch, its JSON up to the user's version, the version, its time to live in ms.
local session, index, state = KEYS[1], KEYS[2], KEYS[3]
local id, epoch, head, version, ttl = unpack(ARGV)
local known = redis.call('HMGET', state, 'epoch', 'version')
if known[1] and tonumber(known[1]) > tonumber(epoch) then
  return 'superseded'
end
if redis.call('EXISTS', session) == 1 then
  return 'taken'
end
if tonumber(ttl) <= 0 then
  -- It has ended already: kept and forgotten in one.
  return 'created'
end
if known[2] and tonumber(known[2]) > tonumber(version) then
  version = known[2]
end
-- The index first: if something else stands in its place, nothing has been written yet.
redis.call('ZADD', index, string.format('%.0f', now() + ttl), id)
redis.call('SET', session, head .. version .. '}', 'PX', ttl)
tidy(index)
return 'created'
