-- Tells the quota that a fleet shares what calls came to, and what the provider said.
-- KEYS 1 quota: HASH, see reserve.lua
-- ARGV 1,2 learned limits a minute, requests and tokens, '' no news  3 1 when they are guessed  4 ms to close the gate, 0 no news  5 share of the limits that failed, '' no news
--   6 'probe': behind the gate one call passes alone; 'open': the gate opens; '' neither
--   then per settlement: slot in which it was reserved, and what to add there: requests, tokens; and tokens to add to what the pace counts
-- Returns 1
-- Not idempotent: whoever gets no answer must not repeat what gives back.
local key, time = KEYS[1], redis.call('TIME') redis.call('HDEL', key, '')
local stored = redis.call('HMGET', key, 'first', 'l1', 'l2', 'gate', 'cutAt', 'at', 'skew')
local now = math.max(time[1] * 1000 + math.floor(time[2] / 1000) + (stored[7] or 0), tonumber(stored[6] or 0))
local first, gate, cutAt = tonumber(stored[1] or 0), tonumber(stored[4] or 0), tonumber(stored[5] or 0)
local level1, level2 = tonumber(stored[2] or 0), tonumber(stored[3] or 0)
if ARGV[1] ~= '' then redis.call('HSET', key, 'g1', ARGV[1], 'guess', ARGV[3]) end
if ARGV[2] ~= '' then redis.call('HSET', key, 'g2', ARGV[2]) end
-- Refusals of calls that were under way when the gate closed, or just after, tell nothing new: one cut a burst.
if ARGV[5] ~= '' and now >= cutAt + 2000 and now >= gate then redis.call('HSET', key, 'cutAt', string.format('%.0f', now), 'cut', ARGV[5]) end
if ARGV[6] == 'open' then gate = now redis.call('HSET', key, 'gate', '0', 'probe', '0') end
if tonumber(ARGV[4]) > 0 and now + ARGV[4] > gate then redis.call('HSET', key, 'gate', string.format('%.0f', now + ARGV[4]), 'probe', ARGV[6] == 'probe' and '1' or '0') end
for i = 7, #ARGV, 4 do
  if tonumber(ARGV[i]) >= first then
    redis.call('HINCRBY', key, '1:' .. ARGV[i], ARGV[i + 1])
    redis.call('HINCRBY', key, '2:' .. ARGV[i], ARGV[i + 2])
    redis.call('HINCRBY', key, 's1', ARGV[i + 1])
    redis.call('HINCRBY', key, 's2', ARGV[i + 2])
  end
  level1, level2 = level1 - ARGV[i + 1], level2 - ARGV[i + 3]
end
redis.call('HSET', key, 'l1', string.format('%.3f', level1), 'l2', string.format('%.3f', level2))
return 1
