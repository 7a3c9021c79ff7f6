-- No script of its own, but what one begins with that writes or compares times of this partition: clock(seen, skew) tells what time it is here.
-- Redis' clock may step back: its time was set, or another server became the master. The partition's time goes on then: `seen` and `skew` of its meta are the
-- latest time that reclaim.lua has written down, and how far it is ahead of Redis' clock, ms. What others are told, and deadlines, go by Redis' clock itself.
-- KEYS 1 to n as the script has them; of the meta it reads nothing itself
-- Returns the time of the partition, and that of Redis, in Unix ms.
-- Idempotent because it changes nothing.
local function clock(seen, skew)
  local time = redis.call('TIME')
  local wall = time[1] * 1000 + math.floor(time[2] / 1000)
  return math.max(wall + (skew or 0), tonumber(seen or 0)), wall
end
