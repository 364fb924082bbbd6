-- Uses the cookies in the file that is its argument, one line each, in turn. The requests are put together beforehand.
local requests, last = {}, 0

init = function(args)
  for cookie in io.lines(args[1]) do
    wrk.headers['Cookie'] = cookie
    table.insert(requests, wrk.format())
  end
end

request = function()
  last = last % #requests + 1
  return requests[last]
end
