-- No script of its own, but what one begins with that writes or compares times of this partition: clock(seen, skew) tells what time it is here.
-- Redis' clock may step back: its time was set, or another server became the master. The partition's time goes on then: `seen` and `skew` of its meta are the
-- latest time that is written down, and how far it is ahead of Redis' clock, ms. What others are told, and deadlines, go by Redis' clock itself.
-- KEYS 1 meta; of it it reads nothing itself
-- Returns the time of the partition, and that of Redis, in Unix ms.
-- Idempotent because a time is written down once. While workers run, reclaim.lua does it each 10 s: a time that is more than 15 s later is most likely a step
-- ahead, and is written down before anything else, so that what is put off until then is not forgotten when the clock is set right.
local function clock(seen, skew)
  local time = redis.call('TIME')
  local wall = time[1] * 1000 + math.floor(time[2] / 1000)
  local now = math.max(wall + (skew or 0), tonumber(seen or 0))
  if seen and now - seen > 15000 then redis.call('HSET', KEYS[1], 'seen', string.format('%.0f', now)) end
  return now, wall
end
