-- Waits for 8 to 12 milliseconds before each request, so that the server is asked at a steady pace however fast it is.
delay = function()
  return 8 + math.random(0, 4)
end
