-- Takes waiting jobs under a lease; due delayed jobs come first.
-- KEYS 1 meta  2 jobs  3-5 waiting high, normal, low  6 delayed  7 inflight  8 leases  9 workers
-- ARGV 1 partitions  2 schema version  3 jobs at most (<= 500)  4 token  5 lease, ms  6 worker  7 lane to start from (1-3)
--      8 bytes of envelopes at most (one job always passes)  9 "1": this claim is repeated, its first answer was lost
-- Returns {'OK', ms until the next delayed job or -1, per job: id, envelope, attempts charged, times lost}
--      or {'MISMATCH', partitions, version}
-- Idempotent because a repeated claim first answers what already carries its token, and takes nothing new then.
redis.call('ZREM', KEYS[7], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if not meta[1] then return {'OK', -1} end
if meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2] then return {'MISMATCH', meta[1], meta[2]} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most, budget, out = tonumber(ARGV[3]), tonumber(ARGV[8]), {'OK', -1}

if ARGV[9] == '1' then
  local all = redis.call('HGETALL', KEYS[8])
  for i = 1, #all, 2 do
    local token, attempt, lost = string.match(all[i + 1], '^([^|]*)|(%d+)|(%d+)|')
    if token == ARGV[4] then
      local n = #out
      out[n + 1], out[n + 2], out[n + 3], out[n + 4] = all[i], redis.call('HGET', KEYS[2], all[i]), attempt, lost
    end
  end
  if #out > 2 then return out end
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', string.format('%.0f', now), 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[6], id)
  local envelope = redis.call('HGET', KEYS[2], id)
  if envelope then redis.call('LPUSH', KEYS[2 + tonumber(string.sub(envelope, 1, 1))], id) end
end

local deadline = string.format('%.0f', now + tonumber(ARGV[5]))
for step = 0, 2 do
  local lane = KEYS[3 + (tonumber(ARGV[7]) + step - 1) % 3]
  local ids = redis.call('LRANGE', lane, 0, most - 1)
  if #ids > 0 then
    local envelopes = redis.call('HMGET', KEYS[2], unpack(ids))
    local leases = redis.call('HMGET', KEYS[8], unpack(ids))
    local scores, fences, taken = {}, {}, 0
    for i, id in ipairs(ids) do
      local envelope = envelopes[i]
      if envelope then
        if #envelope > budget and #out > 2 then break end
        budget, most = budget - #envelope, most - 1
        local attempt, lost = string.match(leases[i] or '|0|0|', '^[^|]*|(%d+)|(%d+)|')
        scores[#scores + 1], scores[#scores + 2] = deadline, id
        fences[#fences + 1], fences[#fences + 2] = id, table.concat({ARGV[4], attempt, lost, ARGV[6]}, '|')
        local n = #out
        out[n + 1], out[n + 2], out[n + 3], out[n + 4] = id, envelope, attempt, lost
      end
      taken = i
    end
    redis.call('LTRIM', lane, taken, -1)
    if #scores > 0 then
      redis.call('ZADD', KEYS[7], unpack(scores))
      redis.call('HSET', KEYS[8], unpack(fences))
    end
    if taken < #ids or most == 0 then break end
  end
end
if #out > 2 then redis.call('ZADD', KEYS[9], string.format('%.0f', now), ARGV[6]) end
local due = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')
if due[2] then out[2] = math.floor(math.max(0, tonumber(due[2]) - now)) end
return out
