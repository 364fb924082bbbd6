-- KEYS: a user's index.
-- Returns how many ids stand in it, how many of these are of sessions that have ended since, and how many of sessions
-- that ought to be there and aren't; nothing if it is no index.
local entries = redis.pcall('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
if entries.err then
  return {}
end
local ended, dangling = 0, 0
for i = 1, #entries, 2 do
  if redis.call('EXISTS', named(entries[i])) == 0 then
    if tonumber(entries[i + 1]) <= now then
      ended = ended + 1
    else
      dangling = dangling + 1
    end
  end
end
return {#entries / 2, ended, dangling}
