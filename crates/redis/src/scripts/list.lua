-- KEYS: the user's index.
-- Returns ids, each followed by its record.
local found = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local record = look(id)
  if not record then
    redis.call('ZREM', KEYS[1], id)
  else
    table.insert(found, id)
    table.insert(found, type(record) == 'string' and record or '')
  end
end
tidy(KEYS[1])
return found
