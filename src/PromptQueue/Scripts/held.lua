-- Answers what a claim has taken whose answer was lost, its leases made new.
-- KEYS 1 meta  2 jobs  3 inflight  4 leases  5 cancel  6 stopped
-- ARGV 1 partitions  2 schema version  3 token  4 lease, ms
-- Returns {'OK', now in Unix ms, -1, 0, of each job 'which|attempts charged|times lost|1 when asked to stop else 0', with spaces between, count of stopped batches, these,
--      per job: id, envelope}
--      or {'MISMATCH', partitions, version}
-- Idempotent because it only writes a later deadline.
redis.call('ZREM', KEYS[3], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = string.format('%.0f', now + tonumber(ARGV[4]))
local stopped = redis.call('ZRANGE', KEYS[6], 0, 4999)
local out, states, held = {'OK', string.format('%.0f', now), -1, 0, '', #stopped, unpack(stopped)}, {}, redis.call('ZRANGE', KEYS[3], 0, -1)
for from = 1, #held, 500 do
  local leases = redis.call('HMGET', KEYS[4], unpack(held, from, math.min(from + 499, #held)))
  for i, lease in ipairs(leases) do
    local id = held[from + i - 1]
    local token, attempt, lost = string.match(lease or '', '^([^|]*)|(%d+)|(%d+)|')
    local envelope = token == ARGV[3] and redis.call('HGET', KEYS[2], id)
    if envelope then
      redis.call('ZADD', KEYS[3], deadline, id)
      states[#states + 1] = table.concat({#states + 1, attempt, lost, redis.call('SISMEMBER', KEYS[5], id)}, '|')
      out[#out + 1], out[#out + 2] = id, envelope
    end
  end
end
out[5] = table.concat(states, ' ')
return out
