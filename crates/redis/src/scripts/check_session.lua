-- KEYS: the session.
-- ARGV: its id, the user whose sessions need no index.
-- Returns 1 if it ought to be in its user's index and isn't.
local session = parse(redis.pcall('GET', KEYS[1]))
if not session or not session.user or session.user == ARGV[2] then
  return 0
end
return type(redis.pcall('ZSCORE', index_of(session.user, ARGV[1]), ARGV[1])) == 'string' and 0 or 1
