-- KEYS: the old session, the successor, the user's index.
-- ARGV: the successor's id, its JSON up to the user's version, its end (ms since 1970), the time by the same clock, how
-- long endings are remembered (ms), the old session's id and revision, what leads from it to the successor, for how
-- long (ms).
local id, head, ends, clock, remembered, old_id, revision, alias, honoured = unpack(ARGV)
local old, obstacle = load(old_id)
if not old then
  return obstacle
end
if tonumber(old.revision) ~= tonumber(revision) or redis.call('EXISTS', KEYS[2]) == 1 then
  return 'conflict'
end
redis.call('ZREM', KEYS[3], old_id)
-- The session goes on, so that its old id has no ending of its own.
redis.call('DEL', KEYS[1], ended(old_id))
if keep(id, KEYS[3], head .. old.version .. '}', ends, clock, remembered) and tonumber(honoured) > 0 then
  redis.call('SET', KEYS[1], alias, 'PX', honoured)
end
return 'made'
