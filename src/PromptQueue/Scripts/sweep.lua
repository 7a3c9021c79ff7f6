-- Takes what is asked to stop, or past its deadline, from wherever it waits, under a lease, so that it ends without its turn, a slot or a quota; of a
-- paused queue too. One bounded step.
-- KEYS 1 meta  2 jobs  3 a lane's list, or delayed  4 inflight  5 leases  6 workers  7 cancel  8 stopped  9 deadlines  10 dead
-- ARGV 1 partitions  2 schema version  3 token  4 lease, ms  5 worker  6 which lane KEYS[3] is (1-3), or 0: delayed  7 place in it to look from, 0 being the front
--      8 ids to look at (<= 500)  9 bytes of envelopes at most (one job always passes)
-- Returns {'OK', now in Unix ms, place to go on from or -1 at the end, 0, of each job 'which|attempts charged|times lost|1 when asked to stop else 0', with spaces between,
--      count of stopped batches, these,  per job: id, envelope}
--      or {'MISMATCH', partitions, version}
-- In a list what was taken leaves an empty place, '{}', which claims pass over: no id has braces. Taking it out would cost a search. `taken1` to `taken3` of meta count
-- these places of each lane.
-- Not idempotent: after a lost answer held.lua tells what the token holds.
redis.call('ZREM', KEYS[4], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'seen', 'skew')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local stopped, single, batches = redis.call('ZRANGE', KEYS[8], 0, 999), redis.call('SCARD', KEYS[7]) > 0, {}
local now, wall = clock(meta[3], meta[4])
local out, states = {'OK', string.format('%.0f', wall), -1, 0, '', #stopped, unpack(stopped)}, {}
-- Whether any that waits is due; of those that are gone or dead nothing is due any more, and those in flight end by themselves. Behind many of these any may wait.
local late = redis.call('ZRANGEBYSCORE', KEYS[9], '-inf', string.format('%.0f', wall), 'LIMIT', 0, 200)
local overdue = #late == 200
for _, id in ipairs(late) do
  if redis.call('HEXISTS', KEYS[2], id) == 0 or redis.call('ZSCORE', KEYS[10], id) then redis.call('ZREM', KEYS[9], id)
  elseif not redis.call('ZSCORE', KEYS[4], id) then overdue = true break end
end
if #stopped == 0 and not single and not overdue then return out end
for _, batch in ipairs(stopped) do batches[batch] = true end
local delayed, from, width = ARGV[6] == '0', tonumber(ARGV[7]), tonumber(ARGV[8])
-- The nearer the middle of a long list, the longer Redis counts to each place.
local length = delayed and 0 or redis.call('LLEN', KEYS[3])
local most = math.max(4, math.min(width, 100, math.floor(50000000 / math.max(1, math.min(from, length - from)))))
local ids = redis.call(delayed and 'ZRANGE' or 'LRANGE', KEYS[3], ARGV[7], string.format('%.0f', from + width - 1))
if #ids == 0 then return out end
local asked = single and redis.call('SMISMEMBER', KEYS[7], unpack(ids)) or {}
local due = overdue and redis.call('ZMSCORE', KEYS[9], unpack(ids)) or {}

local deadline, taken, spent, looked = string.format('%.0f', now + tonumber(ARGV[4])), 0, 0, 0
for i, id in ipairs(ids) do
  local stop = asked[i] == 1 or batches[string.match(id, '^(.*)%.%d+$') or '']
  local size = (stop or (due[i] and tonumber(due[i]) <= wall)) and redis.call('HSTRLEN', KEYS[2], id) or 0
  if size > 0 then
    if taken == most or (taken > 0 and spent + size > tonumber(ARGV[9])) then break end
    local envelope = redis.call('HGET', KEYS[2], id)
    taken, spent = taken + 1, spent + size
    if delayed then redis.call('ZREM', KEYS[3], id) else redis.call('LSET', KEYS[3], string.format('%.0f', from + i - 1), '{}') end
    local attempt, lost, used = string.match(redis.call('HGET', KEYS[5], id) or '|0|0|', '^[^|]*|(%d+)|(%d+)|[^|]*(.*)$')
    redis.call('ZADD', KEYS[4], deadline, id)
    redis.call('HSET', KEYS[5], id, table.concat({ARGV[3], attempt, lost, ARGV[5]}, '|') .. used)
    states[taken], out[#out + 1], out[#out + 2] = table.concat({taken, attempt, lost, stop and 1 or 0}, '|') .. used, id, envelope
  end
  looked = i
end
if taken > 0 then
  if not delayed then redis.call('HINCRBY', KEYS[1], 'taken' .. ARGV[6], taken) end
  redis.call('ZADD', KEYS[6], string.format('%.0f', now), ARGV[5])
end
out[5] = table.concat(states, ' ')
if looked < #ids or #ids == width then out[3] = from + looked - (delayed and taken or 0) end
return out
