-- KEYS: the session, or one that was rotated away.
-- ARGV: its id, how it ends, how long that is remembered (ms).
return delete(ARGV[1], ARGV[2], ARGV[3])
