-- Takes waiting jobs under a lease; due delayed jobs come first. A paused queue gives none. Where there are none, the claim may stand: hand.lua answers it when one comes.
-- KEYS 1 meta  2 jobs  3-5 waiting high, normal, low  6 delayed  7 inflight  8 leases  9 workers  10 cancel  11 stopped  12 standing
-- ARGV 1 partitions  2 schema version  3 jobs at most (1-500)  4 token  5 lease, ms  6 worker  7 lane to start from (1-3)
--      8 bytes of envelopes at most (one job always passes); what is over that is not even read
--      9 claim that was parked before, or ''  10 this one as it may be parked, or ''
-- Returns {'OK', now in Unix ms (0 when paused), ms until the next delayed job (0: claim again, the list had many ids without an envelope)
--      or -1,
--      the sum of 1 when paused, 2 when 9 stood until now (else it may have been answered), 4 when one stands now: 9 if it stood, else 10,
--      of the jobs that are not claimed for the first time, or asked to stop: 'which of these|attempts charged|times lost|1 when asked to stop else 0', then '|used' of what
--      retry.lua was told of, with spaces between,
--      count of stopped batches, these,  per job: id, envelope}
--      or {'MISMATCH', partitions, version}
-- Not idempotent: after a lost answer held.lua tells what the token holds.
redis.call('ZREM', KEYS[7], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'paused', 'seen', 'skew', 'taken1', 'taken2', 'taken3')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end
local flags = redis.call('ZSCORE', KEYS[12], ARGV[9]) and 2 or 0
if meta[3] then redis.call('ZREM', KEYS[12], ARGV[9]) return {'OK', '0', -1, flags + 1, '', 0} end

local now, wall = clock(meta[4], meta[5])
makeDue(KEYS[6], KEYS[2], 3, now)
local most, budget, deadline, stopped = tonumber(ARGV[3]), tonumber(ARGV[8]), string.format('%.0f', now + tonumber(ARGV[5])), redis.call('ZRANGE', KEYS[11], 0, 999)
local out, states, count, spent, looked, full = {'OK', string.format('%.0f', wall), -1, flags, '', #stopped, unpack(stopped)}, {}, 0, 0, 0, false
-- Each job in flight has a lease: where there are no more, none that waits was ever claimed.
local claimed, asking, fresh = redis.call('HLEN', KEYS[8]) ~= redis.call('ZCARD', KEYS[7]), redis.call('EXISTS', KEYS[10]) == 1, ARGV[4] .. '|0|0|' .. ARGV[6]
for step = 0, 2 do
  local place = (tonumber(ARGV[7]) + step - 1) % 3
  local lane, more, passed = KEYS[3 + place], true, meta[6 + place] and dropTaken(KEYS[3 + place]) or 0
  looked, full = looked + passed, full or looked + passed >= 2000
  while more and not full do
    -- Few at first, then as many as their mean size promises to fit.
    local width = math.min(most - count, spent == 0 and (looked < 8 and 8 or 250) or math.max(1, math.min(250, math.floor((budget - spent) * count / spent))))
    local ids, popped, any
    ids, popped, spent, any, full = popFitting(lane, KEYS[2], width, spent, budget, count > 0)
    if #ids == 0 then more = popped > 0 break end
    local envelopes = redis.call('HMGET', KEYS[2], unpack(ids))
    local leases, asked = claimed and redis.call('HMGET', KEYS[8], unpack(ids)) or {}, asking and redis.call('SMISMEMBER', KEYS[10], unpack(ids)) or {}
    local scores, fences, holes, n, at, fence = {}, {}, {}, 0, #out
    for i, id in ipairs(ids) do
      local envelope = envelopes[i]
      if not envelope then holes[#holes + 1], passed = id, passed + (id == '{}' and 1 or 0)
      else
        count, fence = count + 1, fresh
        if leases[i] or asked[i] == 1 then
          local charged, used = string.match(leases[i] or '|0|0|', '^[^|]*(|%d+|%d+|)[^|]*(.*)$')
          fence, states[#states + 1] = ARGV[4] .. charged .. ARGV[6] .. used, count .. charged .. (asked[i] or 0) .. used
        end
        scores[n + 1], scores[n + 2], fences[n + 1], fences[n + 2] = deadline, id, id, fence
        n, out[at + 1], out[at + 2], at = n + 2, id, envelope, at + 2
      end
    end
    if #holes > 0 then redis.call('HDEL', KEYS[8], unpack(holes)) end
    if n > 0 then redis.call('ZADD', KEYS[7], unpack(scores)) redis.call('HSET', KEYS[8], unpack(fences)) end
    looked, more, full = looked + #ids, popped == width, full or count == most or looked + #ids >= 2000
  end
  if meta[6 + place] then countTaken(KEYS[1], 'taken' .. place + 1, passed, not more and not full) end
end
if count > 0 then redis.call('ZADD', KEYS[9], string.format('%.0f', now), ARGV[6]) end
if count == 0 and not full and ARGV[10] ~= '' then
  out[4] = flags + 4
  redis.call('ZADD', KEYS[12], 'NX', string.format('%.0f', now), ARGV[flags == 2 and 9 or 10])
elseif flags == 2 then redis.call('ZREM', KEYS[12], ARGV[9]) end
local due = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')
if full and count == 0 then out[3] = 0 elseif due[2] then out[3] = math.floor(math.max(0, tonumber(due[2]) - now)) end
out[5] = table.concat(states, ' ')
return out
