-- Shares the calls at once of a deployment among the workers of a fleet.
-- KEYS 1 permits: HASH, worker -> "held wanted deadline", deadline in ms; field '@': the same form, its last part when it was asked last, ms
-- ARGV 1 worker  2 calls it has under way  3 calls it wants, those included  4 calls at once, of all workers  5 for how many ms it holds them without asking again
-- Returns how many it may have under way, and how many more it might have if it wanted them: its part of what is free
-- Idempotent because it writes what the worker holds, not a difference. A worker that died holds its own until its deadline.
-- Redis' clock may step. Back: no deadline is further ahead than a lease. Ahead, or Redis was away: where nobody has asked for half a lease, each has as long again to do so.
local time = redis.call('TIME') redis.call('HDEL', KEYS[1], '')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local running, wanted, limit, lease = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local taken, workers, rivals, gone, kept = 0, 1, false, {}, {}
local all, asked = redis.call('HGETALL', KEYS[1]), string.match(redis.call('HGET', KEYS[1], '@') or '', '%d+$')
local earliest = asked and now - asked > lease / 2 and now + lease / 2 or 0
for i = 1, #all, 2 do
  local held, wants, deadline = string.match(all[i + 1], '(%d+) (%d+) (%d+)')
  local ends, other = math.max(math.min(tonumber(deadline), now + lease), earliest), all[i] ~= ARGV[1] and all[i] ~= '@'
  if other and ends <= now then
    gone[#gone + 1] = all[i]
  elseif other then
    taken, workers, rivals = taken + held, workers + 1, rivals or tonumber(wants) > tonumber(held)
    if ends ~= tonumber(deadline) then kept[#kept + 1], kept[#kept + 2] = all[i], string.format('%s %s %.0f', held, wants, ends) end
  end
end
-- Of a fleet of thousands the rest is removed by the next call.
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone, 1, math.min(#gone, 1000))) end
for i = 1, #kept, 1000 do redis.call('HSET', KEYS[1], unpack(kept, i, math.min(i + 999, #kept))) end
local granted = math.min(wanted, limit - taken)
-- More than an even part only of what nobody else waits for; what is under way is not called back.
local even = math.max(1, math.floor(limit / workers))
if rivals then granted = math.min(granted, even) end
granted = math.max(granted, running)
local more = math.max(0, math.ceil((limit - taken - granted) / workers))
if rivals then more = math.max(0, math.min(more, even - granted)) end
if wanted == 0 then redis.call('HDEL', KEYS[1], ARGV[1])
else redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %.0f %.0f', granted, wanted, now + lease), '@', string.format('0 0 %.0f', now)) redis.call('PEXPIRE', KEYS[1], 86400000) end
return string.format('%.0f %.0f', granted, more)
