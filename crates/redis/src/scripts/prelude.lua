-- What the scripts on sessions share. Numbers stay the digits that they came as: compared as numbers, never written
-- as such, since Lua's own would lose digits beyond 2^53 and turn into 1e+15 before.

-- The time by the clock that keys expire by, in milliseconds since 1970.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Writes the value down in the user's state unless a greater one stands there, and renews its time to live.
local function raise(state, field, value, ttl)
  local known = tonumber(redis.call('HGET', state, field) or '')
  if not known or known < tonumber(value) then
    redis.call('HSET', state, field, value)
  end
  redis.call('PEXPIRE', state, ttl)
end

-- Drops what has ended from a user's index, and lets the index live until the last session that is left ends.
local function tidy(index)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', string.format('(%.0f', now()))
  local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
  if last[2] then
    redis.call('PEXPIREAT', index, string.format('%.0f', tonumber(last[2])))
  end
end

-- The two numbers that a session's JSON ends with, as digits; nothing if it doesn't. They are looked for at the very
-- end, where nothing that a client sends can stand.
local function numbers(record)
  if type(record) == 'string' then
    return string.match(record, '"epoch":(%-?%d+),"user_version":(%-?%d+)}$')
  end
end

-- Replaces the user's version in a session's JSON, unless it is as great already. The session's end stays what it was,
-- and a session that isn't there (any more) isn't made.
local function renew(session, record, known, version)
  if tonumber(known) < tonumber(version) then
    local head = string.sub(record, 1, -#known - 2)
    redis.call('SET', session, head .. version .. '}', 'XX', 'KEEPTTL')
  end
end

