-- KEYS: the code.
-- ARGV: the time (ms since 1970).
local code = redis.call('HMGET', KEYS[1], 'hash', 'tries_left', 'expires_at')
local hash, tries_left, expires_at = code[1], code[2], code[3]
if not hash or tonumber(ARGV[1]) >= tonumber(expires_at) or tonumber(tries_left) <= 0 then
  return false
end
redis.call('HINCRBY', KEYS[1], 'tries_left', -1)
return hash
