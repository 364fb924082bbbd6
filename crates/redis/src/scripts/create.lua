-- KEYS: the session, the user's index, the user's state.
-- ARGV: the session's id, its JSON up to the user's version, its end (ms since 1970), the time by the same clock, how
-- long endings are remembered (ms), its epoch, the version, the state's time to live (ms), how many sessions the user has
-- at most, and the ids of those that it replaces.
local key, index, state = KEYS[1], KEYS[2], KEYS[3]
local id, head, ends, clock, remembered, epoch, version, ttl, most = unpack(ARGV)
local known = redis.call('HMGET', state, 'epoch', 'version')
if known[1] and tonumber(known[1]) > tonumber(epoch) then
  return {'superseded'}
end
if redis.call('EXISTS', key) == 1 then
  return {'taken'}
end
if known[2] and tonumber(known[2]) > tonumber(version) then
  version = known[2]
end
for i = 10, #ARGV do
  delete(ARGV[i], 'replaced', remembered)
end
tell(index, state, version, ttl)
local kept = keep(id, index, head .. version .. '}', ends, clock, remembered)
if not kept or redis.call('ZCARD', index) <= tonumber(most) then
  return {'created'}
end

-- The others, the ones created first at the front; and before them what can't be read, as nobody can log in with it.
local others = {}
for _, other in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  local record = look(other)
  if not record then
    redis.call('ZREM', index, other)
  elseif other ~= id then
    local created_at = type(record) == 'string' and string.match(record, '"created_at":"([^"]*)"')
    table.insert(others, {id = other, created_at = created_at or ''})
  end
end
table.sort(others, function(a, b)
  return a.created_at < b.created_at or (a.created_at == b.created_at and a.id < b.id)
end)
local answer = {'created'}
for i = 1, #others + 1 - most do
  finish(others[i].id, 'evicted', remembered)
  redis.call('ZREM', index, others[i].id)
  table.insert(answer, others[i].id)
end
tidy(index)
return answer
