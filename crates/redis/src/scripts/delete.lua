-- KEYS: the session.
-- ARGV: its id, what the key of an index begins with.
-- Whose it is stands at the very beginning of its JSON, where nothing that a client sends can stand. What isn't a
-- session is deleted all the same: nobody can log in with it, and it would be in the way for ever.
local record = redis.pcall('GET', KEYS[1])
local deleted = redis.call('DEL', KEYS[1])
if type(record) == 'string' then
  local user = string.match(record, '^{"session_id":"%x+","user_id":"([^"\\]+)"')
  if user then
    local index = ARGV[2] .. user
    redis.call('ZREM', index, ARGV[1])
    tidy(index)
  end
end
return deleted
