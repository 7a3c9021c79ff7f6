-- Answers what a claim has taken whose answer was lost, its leases made new. One bounded step.
-- KEYS 1 meta  2 jobs  3 inflight  4 leases  5 cancel  6 stopped
-- ARGV 1 partitions  2 schema version  3 token  4 lease, ms  5 cursor (0: from the start)  6 about how many of those in flight to look at
-- Returns {'OK', now in Unix ms, cursor to go on from (-1: all were looked at), 0, of each job 'which|attempts charged|times lost|1 when asked to stop else 0', with spaces between, count of stopped batches, these,
--      per job: id, envelope}
--      or {'MISMATCH', partitions, version}
-- Idempotent because it only writes a later deadline; a job may be answered by two steps.
redis.call('ZREM', KEYS[3], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'seen', 'skew')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local now, wall = clock(meta[3], meta[4])
local deadline = string.format('%.0f', now + tonumber(ARGV[4]))
local stopped, scan, ids = redis.call('ZRANGE', KEYS[6], 0, 999), redis.call('ZSCAN', KEYS[3], ARGV[5], 'COUNT', ARGV[6]), {}
local out, states = {'OK', string.format('%.0f', wall), scan[1] == '0' and -1 or scan[1], 0, '', #stopped, unpack(stopped)}, {}
for i = 1, #scan[2], 2 do ids[#ids + 1] = scan[2][i] end
local leases = #ids > 0 and redis.call('HMGET', KEYS[4], unpack(ids)) or {}
for i, id in ipairs(ids) do
  local token, attempt, lost, used = string.match(leases[i] or '', '^([^|]*)|(%d+)|(%d+)|[^|]*(.*)$')
  local envelope = token == ARGV[3] and redis.call('HGET', KEYS[2], id)
  if envelope then
    redis.call('ZADD', KEYS[3], deadline, id)
    states[#states + 1] = table.concat({#states + 1, attempt, lost, redis.call('SISMEMBER', KEYS[5], id)}, '|') .. used
    out[#out + 1], out[#out + 2] = id, envelope
  end
end
out[5] = table.concat(states, ' ')
return out
