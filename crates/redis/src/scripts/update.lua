-- KEYS: the session, the user's index.
-- ARGV: its id, its JSON up to the user's version, its end (ms since 1970), the time by the same clock, how long
-- endings are remembered (ms), the revision that it replaces.
local id, head, ends, clock, remembered, revision = unpack(ARGV)
local session, obstacle = load(id)
if not session then
  return obstacle
end
if tonumber(session.revision) ~= tonumber(revision) then
  return 'conflict'
end
keep(id, KEYS[2], head .. session.version .. '}', ends, clock, remembered)
return 'made'
