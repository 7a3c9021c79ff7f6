-- Shares the calls at once of a deployment among the workers of a fleet.
-- KEYS 1 permits: HASH, worker -> "held wanted deadline", deadline in ms
-- ARGV 1 worker  2 calls it has under way  3 calls it wants, those included  4 calls at once, of all workers  5 for how many ms it holds them without asking again
-- Returns how many it may have under way, and how many more it might have if it wanted them: its part of what is free
-- Idempotent because it writes what the worker holds, not a difference. A worker that died holds its own until its deadline.
local time = redis.call('TIME') redis.call('HDEL', KEYS[1], '')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local running, wanted, limit = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local taken, workers, rivals = 0, 1, false
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local held, wants, deadline = string.match(all[i + 1], '(%d+) (%d+) (%d+)')
  if all[i] ~= ARGV[1] and tonumber(deadline) <= now then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= ARGV[1] then
    taken, workers, rivals = taken + held, workers + 1, rivals or tonumber(wants) > tonumber(held)
  end
end
local granted = math.min(wanted, limit - taken)
-- More than an even part only of what nobody else waits for; what is under way is not called back.
local even = math.max(1, math.floor(limit / workers))
if rivals then granted = math.min(granted, even) end
granted = math.max(granted, running)
local more = math.max(0, math.ceil((limit - taken - granted) / workers))
if rivals then more = math.max(0, math.min(more, even - granted)) end
if wanted == 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %.0f %.0f', granted, wanted, now + tonumber(ARGV[5])))
  redis.call('PEXPIRE', KEYS[1], 86400000)
end
return string.format('%.0f %.0f', granted, more)
