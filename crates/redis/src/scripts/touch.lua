-- KEYS: the session.
-- ARGV: its id, when it was used and when it ends unless it is used again (both as in its JSON), the time (ms since
-- 1970), how long endings are remembered (ms).
local id, used, idle_end, clock, remembered = unpack(ARGV)

-- A time in a session's JSON in milliseconds since 1970. The year begins in March, so that its leap day is its last.
local function milliseconds(time)
  local year, month, day, hour, minute, second =
    string.match(time, '^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+%.%d+)Z$')
  if tonumber(month) <= 2 then
    year, month = year - 1, month + 12
  end
  local leap_days = math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
  local days = 365 * year + leap_days + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
  return math.floor((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + 0.5)
end

local session = load(id)
if not session then
  return 0
end
-- The first comes before what a client can choose, the others after it.
local head, last, middle, tail =
  string.match(session.body, '^(.-,"last_activity":")([^"]*)(".*,"idle_expires_at":")[^"]*(".*)$')
local absolute_end = string.match(tail or '', '^","expires_at":"([^"]*)"')
if not absolute_end or not session.user then
  error('what stands under the key of a session is none')
end
-- Times in the same format are in the same order as their texts.
if last < used then
  session.body = head .. used .. middle .. idle_end .. tail
  session.revision = digits(session.revision + 1)
  local ends = math.min(milliseconds(idle_end), milliseconds(absolute_end))
  keep(id, index_of(session.user, id), text(session), ends, clock, remembered)
end
return 1
