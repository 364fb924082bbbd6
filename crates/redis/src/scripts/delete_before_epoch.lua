-- KEYS: the user's index, the user's state.
-- ARGV: the epoch, the version, the state's time to live in ms, the family of the session to
-- keep (or nothing), how the others end, how long that is remembered (ms).
local index, state = KEYS[1], KEYS[2]
local epoch, version, ttl, kept, ending, remembered = unpack(ARGV)
-- The state first: even if the rest fails, no session of an earlier epoch is created from now on.
raise(state, 'epoch', epoch, ttl)
raise(state, 'version', version, ttl)
tidy(index)
local count = 0
for _, id in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  local record = look(id)
  local session = parse(record)
  if session and tonumber(session.epoch) >= tonumber(epoch) then
    renew(id, record, version)
  elseif session and session.family == kept then
    session.epoch, session.revision = epoch, digits(session.revision + 1)
    if tonumber(session.version) < tonumber(version) then
      session.version = version
    end
    redis.call('SET', named(id), text(session), 'XX', 'KEEPTTL')
  else
    -- What can't be read can't be told to be of this epoch, so it goes.
    count = count + finish(id, ending, remembered)
    redis.call('ZREM', index, id)
  end
end
tidy(index)
return count
