-- KEYS: the code.
-- ARGV: the hash that it must have.
if redis.call('HGET', KEYS[1], 'hash') ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
