-- KEYS: the code.
-- ARGV: its hash, how often it can be tried, when it is void (ms since 1970), its time to live in ms.
redis.call('DEL', KEYS[1])
if tonumber(ARGV[4]) > 0 then
  redis.call('HSET', KEYS[1], 'hash', ARGV[1], 'tries_left', ARGV[2], 'expires_at', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return redis.status_reply('OK')
