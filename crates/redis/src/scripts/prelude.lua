-- What the scripts on sessions share, besides the constants that are put before it. Numbers stay the digits that they
-- came as: compared as numbers, never written as such, since Lua's own would lose digits beyond 2^53 and turn into 1e+15
-- before.

-- The time by the clock that keys expire by, in milliseconds since 1970.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function digits(number)
  return string.format('%.0f', number)
end

-- What a session's key and all that are its user's have in common on a cluster, so that they are on one server.
local function tag(id)
  return TAG_DIGITS > 0 and '{' .. string.sub(id, 1, TAG_DIGITS) .. '}' or ''
end

-- The key of a session.
local function named(id)
  return SESSION .. tag(id) .. id
end

-- The key of the memory of a session's end.
local function ended(id)
  return ENDED .. tag(id) .. string.sub(id, 1, ENDED_DIGITS)
end

-- The key of the index of the user whose session has this id.
local function index_of(user, id)
  return USER_SESSIONS .. tag(id) .. user
end

-- What stands under the key of a session; nothing if it is of another type. What can't be looked at, since it is just
-- being moved to another server, is an error.
local function look(id)
  local record = redis.pcall('GET', named(id))
  if type(record) == 'table' and record.err and not string.find(record.err, 'WRONGTYPE', 1, true) then
    error(record.err)
  end
  return record
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
  redis.call('ZREMRANGEBYSCORE', index, '-inf', '(' .. digits(now))
  local last = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
  if last[2] then
    redis.call('PEXPIREAT', index, digits(tonumber(last[2])))
  end
end

-- What the scripts look at in a session's JSON; nothing if it isn't one. It stands at the very beginning and the very
-- end, where nothing that a client sends can stand. A session from before there were revisions has none.
local function parse(record)
  if type(record) ~= 'string' then
    return nil
  end
  local body, epoch, version = string.match(record, '^(.*),"epoch":(%-?%d+),"user_version":(%-?%d+)}$')
  if not body then
    return nil
  end
  local older, revision = string.match(body, '^(.*),"revision":(%d+)$')
  local id, user = string.match(body, '^{"session_id":"(%x+)","user_id":"([^"\\]+)",')
  return {
    user = user,
    -- Written down once the session was rotated.
    family = string.match(older or body, ',"family":"(%x+)"$') or string.sub(id or '', 1, 16),
    body = older or body,
    revision = revision or '0',
    epoch = epoch,
    version = version,
  }
end

-- The JSON of what was parsed, as it was or was changed since.
local function text(session)
  return session.body .. ',"revision":' .. session.revision .. ',"epoch":' .. session.epoch
    .. ',"user_version":' .. session.version .. '}'
end

-- The id that an id was rotated to, if that is what its record says.
local function successor(record)
  return type(record) == 'string'
    and string.match(record, '^{"session_id":"%x+","user_id":"[^"\\]+","rotated_to":"(%x+)",')
end

-- The id that this one leads to, if it was rotated away, or else itself, and what stands under its key.
local function resolve(id)
  for _ = 0, HOPS do
    local record = look(id)
    local to = successor(record)
    if not to then
      return id, record
    end
    id = to
  end
  return nil, false
end

-- The session with this very id, or why there is none that could be changed.
local function load(id)
  local record = redis.call('GET', named(id))
  if not record then
    return nil, 'gone'
  end
  local session = parse(record)
  if session then
    return session
  end
  if not successor(record) then
    error('what stands under the key of a session is none')
  end
  local _, last = resolve(id)
  return nil, last and 'conflict' or 'gone'
end

-- Writes a session down, with its place in the index and the memory of its end. `ends` is that end in milliseconds by
-- the caller's clock, which shows `clock`. One that has ended already is forgotten. Returns whether it is kept.
--
-- It reads something at the very end (`tidy`). A connection that is told of changes isn't told of its own, but Redis
-- forgets with them that it is to be told of these keys at all, until a script that declares them reads again.
local function keep(id, index, record, ends, clock, remembered)
  local ttl = math.min(ends - clock, LONGEST_TTL)
  if ttl > 0 then
    -- The index first: if something else stands in its place, nothing has been written yet.
    redis.call('ZADD', index, digits(now + ttl), id)
    redis.call('SET', named(id), record, 'PX', digits(ttl))
  else
    redis.call('ZREM', index, id)
    redis.call('DEL', named(id))
  end
  if tonumber(remembered) > 0 and ttl + remembered > 0 then
    redis.call('SET', ended(id), digits(clock + ttl), 'PX', digits(ttl + remembered))
  end
  tidy(index)
  return ttl > 0
end

-- Ends a session, if there is one, and remembers how. Returns how many there were.
local function finish(id, ending, remembered)
  local there = redis.call('DEL', named(id))
  if there == 1 and tonumber(remembered) > 0 then
    redis.call('SET', ended(id), ending, 'PX', remembered)
  elseif there == 1 then
    redis.call('DEL', ended(id))
  end
  return there
end

-- Ends the session that an id leads to, whosever it is. What isn't a session is deleted all the same: nobody can log in
-- with it, and it would be in the way for ever.
local function delete(any_id, ending, remembered)
  local id, record = resolve(any_id)
  if not record then
    return 0
  end
  local session = parse(record)
  local count = finish(id, ending, remembered)
  if session and session.user then
    local index = index_of(session.user, id)
    redis.call('ZREM', index, id)
    tidy(index)
  end
  return count
end

-- What stands under the keys of these sessions, in their order; false where there is nothing or something of another type.
-- One command for all of them, since who has many logs in as often as anybody, and everybody waits for a script.
local function look_at_all(ids)
  local records = {}
  for first = 1, #ids, 1000 do
    local keys = {}
    for i = first, math.min(first + 999, #ids) do
      table.insert(keys, named(ids[i]))
    end
    for i, record in ipairs(redis.call('MGET', unpack(keys))) do
      records[first + i - 1] = record
    end
  end
  return records
end

-- Replaces the user's version in a session's JSON, unless it is as great already. The session's end stays what it was,
-- and a session that isn't there (any more) isn't made. Only the end of the text is looked at: it has the version, of 20
-- characters at most, and nothing that a client sends.
local function renew(id, record, version)
  local at, last = string.find(record, ',"user_version":', -37, true)
  local known = at and string.match(record, '^(%-?%d+)}$', last + 1)
  if known and tonumber(known) < tonumber(version) then
    redis.call('SET', named(id), string.sub(record, 1, last) .. version .. '}', 'XX', 'KEEPTTL')
  end
end
