-- KEYS: the session, the user's index, the user's state.
-- ARGV: the session's id, its JSON up to the user's version, its end (ms since 1970), the time by the same clock, how
-- long endings are remembered (ms), its epoch, the version, how many sessions the user has at most, and the
-- ids of those that it replaces.
local key, index, state = KEYS[1], KEYS[2], KEYS[3]
local id, head, ends, clock, remembered, epoch, version, most = unpack(ARGV)
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
for i = 9, #ARGV do
  delete(ARGV[i], 'replaced', remembered)
end
local kept = keep(id, index, head .. version .. '}', ends, clock, remembered)
if not kept or redis.call('ZCARD', index) <= tonumber(most) then
  return {'created'}
end

-- What isn't there or can't be read gives way, and then what was created first.
local answer, ids = {'created'}, redis.call('ZRANGE', index, 0, -1)
local records = look_at_all(ids)
local function evict(i)
  if finish(ids[i], 'evicted', remembered) == 1 then
    table.insert(answer, ids[i])
  end
  redis.call('ZREM', index, ids[i])
  records[i] = false
end
local function first()
  local found, earliest
  for i, record in ipairs(records) do
    if record and ids[i] ~= id then
      local _, before = string.find(record, '"created_at":"', 1, true)
      local created_at = before and string.match(record, '^[^"]*', before + 1) or ''
      if not found or created_at < earliest or (created_at == earliest and ids[i] < ids[found]) then
        found, earliest = i, created_at
      end
    end
  end
  return found
end
for i, record in ipairs(records) do
  if not record then
    evict(i)
  end
end
for _ = tonumber(most) + 1, redis.call('ZCARD', index) do
  evict(first())
end
tidy(index)
return answer
