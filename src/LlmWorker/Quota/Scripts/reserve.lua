-- Lets calls of one worker pass, as many as fit into the requests (1) and tokens (2) a minute that a fleet shares, in order.
-- KEYS 1 quota: HASH. 1:<slot>, 2:<slot> what the calls of each 100 ms take; s1 s2 their sums over the last minute, from slot `first`;
--   l1 l2 what the pace has left, at `at`; o1 o2 what others took of the minute, as seen at oa1 oa2; k1 k2 limits in force before;
--   g1 g2 learned limits, guess 1 when guessed; gate, probe 1 when one call is to pass alone behind it; cutAt, cut: share of the limits
--   that failed; hold, holder: whose turn it is, until when; queue: "worker waiting time;" of each worker that asked lately; began;
--   skew: ms that the account's time is ahead of Redis' clock. It grows when that clock steps back, so all these times go on from the latest one
-- ARGV 1 worker: a word  2 its waiting calls  3,4 limits in force, a minute, 0 none  5,6 what the provider counted in the minute, '' unknown
--   then per waiting call: tokens to reserve, tokens that the pace counts
-- Returns texts: granted, wait ms, slot, gate ms, s1 and s2 with what others took, l1, l2, g1, g2, guess, ms since the cut or -1, cut,
--   other workers, their waiting calls, ms since it began, probe, ms that Redis' clock stepped back since the last exchange
-- Not idempotent: what an unanswered call was granted leaves with its minute.
local key, time, S = KEYS[1], redis.call('TIME'), {} redis.call('HDEL', key, '')
local wall, names = time[1] * 1000 + math.floor(time[2] / 1000), {'began', 'first', 'at', 'gate', 'hold', 'holder', 'cutAt', 'cut', 's1', 's2', 'l1', 'l2', 'o1', 'o2', 'oa1', 'oa2', 'k1', 'k2', 'g1', 'g2', 'guess', 'probe', 'queue', 'skew'}
local stored = redis.call('HMGET', key, unpack(names))
for i = 1, #names do S[names[i]] = tonumber(stored[i] or 0) or stored[i] end
local now, step = wall + S.skew, 0
if now < S.at then step, now, S.skew = S.at - now, S.at, S.at - wall end
local slot = math.floor(now / 100)
if S.at == 0 then S.began, S.first, S.at = now, slot, now end
moveWindow(key, S, slot)
local limit, rate, use, second, took, wait, granted, blocked, none = {}, {}, {}, lastSecond(key, slot), {0, 0}, S.gate - now, 0, false, 1e15
for d = 1, 2 do
  limit[d] = ARGV[2 + d] == '0' and none or tonumber(ARGV[2 + d])
  local mine, next, others, judged = S['s' .. d], d == 1 and 1 or tonumber(ARGV[7] or 0), S['o' .. d] * math.max(0, 1 - (now - S['oa' .. d]) / 60400), tonumber(ARGV[4 + d])
  local seen = judged and judged > mine + others + limit[d] * 0.02 and judged - mine or 0
  if S['k' .. d] == 0 then seen = limit[d] * 0.98 - mine - next end
  if limit[d] < none and seen > others then others, S['o' .. d], S['oa' .. d] = seen, seen, now end
  S['k' .. d], use[d] = tonumber(ARGV[2 + d]), mine + math.floor(others)
  rate[d] = limit[d] / 60000 * math.max(0.9, math.min(2.2, 0.994 + 50 * (1 - (use[d] + next) / limit[d])))
  S['l' .. d] = limit[d] == none and none or math.min(limit[d] / 600, S['l' .. d] + rate[d] * (now - S.at))
end
if S.hold > now and S.holder ~= ARGV[1] then wait = math.max(wait, 50) end
while wait <= 0 and ARGV[7 + granted * 2] do
  local take, pace = {1, tonumber(ARGV[7 + granted * 2])}, {1, tonumber(ARGV[8 + granted * 2])}
  for d = 1, 2 do
    local over, near = use[d] + took[d] + math.min(take[d], limit[d]) - limit[d], second[d] + took[d]
    if S['l' .. d] < 0 then wait = math.max(wait, -S['l' .. d] / rate[d]) end
    if over > 0 then wait, blocked = math.max(wait, 10, math.min(1000, over * 25000 / limit[d])), true end
    if near > 0 and near + take[d] > limit[d] / 60 * 2.8 then wait, blocked = math.max(wait, 100), true end
  end
  for d = 1, 2 do if wait <= 0 then took[d], S['l' .. d] = took[d] + take[d], S['l' .. d] - pace[d] end end
  -- The probe: whatever comes of it opens the gate, closes it again, or is not reported within 10 s.
  if wait <= 0 and S.probe > 0 then granted, S.hold, S.gate, wait = granted + 1, 0, now + 10000, 10000
  elseif wait <= 0 then granted, S.hold = granted + 1, 0 elseif blocked then S.hold, S.holder = now + wait + 100, ARGV[1] end
end
local queue, workers, waiting, save = ARGV[1] .. ' ' .. ARGV[2] .. string.format(' %.0f;', now), 0, 0, {}
for name, count, seen in string.gmatch(tostring(S.queue), '(%S+) (%d+) (%d+);') do
  if name ~= ARGV[1] and now - seen < 3000 then queue, workers, waiting = queue .. name .. ' ' .. count .. ' ' .. seen .. ';', workers + 1, waiting + count end
end
for d = 1, 2 do
  if granted > 0 then redis.call('HINCRBY', key, d .. ':' .. slot, string.format('%.0f', took[d])) end
  S['s' .. d], use[d] = S['s' .. d] + took[d], use[d] + took[d]
end
S.at, S.queue = now, queue for n = 1, #names do save[n * 2 - 1], save[n * 2] = names[n], type(S[names[n]]) == 'number' and string.format(names[n] > 's' and '%.0f' or '%.6f', S[names[n]]) or S[names[n]] end
redis.call('HSET', key, unpack(save)); redis.call('PEXPIRE', key, 86400000)
local out = {granted, math.max(wait, 0), slot, math.max(S.gate - now, 0), use[1], use[2], S.l1, S.l2, S.g1, S.g2, S.guess, S.cutAt > 0 and now - S.cutAt or -1, S.cut, workers, waiting, now - S.began, S.probe, step}
for n = 1, #out do out[n] = string.format('%.6f', out[n]) end
return out
