-- Returns expired leases, and those of processes that are gone, to the front of their lanes. One bounded step.
-- KEYS 1 meta  2 jobs  3-5 waiting high, normal, low  6 inflight  7 leases  8 workers
-- ARGV 1 partitions  2 schema version  3 wake channel  4 publish verb
--      5 leases to check, at most (<= 500), and no more than envelopes of 4 MiB (one always passes): each is read for its lane
--      6 a process not seen for so many ms is gone  7 rank in inflight to look from, for leases of the gone
--      8 the time that the caller's last such call answered, ms, or -1: don't ask  9 the longest gap since then, ms
-- Returns {'OK', jobs returned, rank to go on from or -1 when all were looked at, time, ms, ms that Redis' clock stepped back, 0 in most cases} or {'AWAY', time, ms,
--      that}: the gap was longer, so this Redis may have been away and not the workers; nothing was done. Or {'MISMATCH', partitions, version}
-- Idempotent because a lease that was returned is no longer in inflight.
redis.call('ZREM', KEYS[6], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version', 'seen', 'skew')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local now, wall = clock(meta[3], meta[4])
local told, step = string.format('%.0f', now), 0
-- Written down rarely, as all workers do this all the time: a smaller step back than that only makes things later by as much.
if meta[1] and now - (meta[3] or 0) >= 10000 then redis.call('HSET', KEYS[1], 'seen', told) end
if now > wall + (meta[4] or 0) then
  step = now - wall - (meta[4] or 0)
  redis.call('HSET', KEYS[1], 'skew', string.format('%.0f', now - wall))
end
if ARGV[8] ~= '-1' and math.abs(now - tonumber(ARGV[8])) > tonumber(ARGV[9]) then return {'AWAY', told, step} end
local most, from, returned, bytes = tonumber(ARGV[5]), tonumber(ARGV[7]), 0, 0
local function isOver(id)
  local size = redis.call('HSTRLEN', KEYS[2], id)
  if bytes > 0 and bytes + size > 4194304 then return true end
  bytes = bytes + size
  return false
end
local function giveBack(id, lease)
  local attempt, lost, used = string.match(lease or '|0|0|', '^[^|]*|(%d+)|(%d+)|[^|]*(.*)$')
  redis.call('ZREM', KEYS[6], id)
  local envelope = redis.call('HGET', KEYS[2], id)
  if not envelope then redis.call('HDEL', KEYS[7], id) return end
  redis.call('HSET', KEYS[7], id, table.concat({'', attempt, string.format('%.0f', lost + 1), ''}, '|') .. used)
  redis.call('LPUSH', KEYS[2 + tonumber(string.match(envelope, '^[123]') or 2)], id)
  returned = returned + 1
end

for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', told, 'LIMIT', 0, most)) do
  if isOver(id) then redis.call(ARGV[4], ARGV[3], '1') return {'OK', returned, from, told, step} end
  giveBack(id, redis.call('HGET', KEYS[7], id))
end
local gone, any = {}, false
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', string.format('%.0f', now - tonumber(ARGV[6])), 'LIMIT', 0, 1000)) do gone[worker], any = true, true end
local nextRank = -1
if any then
  local ids, kept, over = redis.call('ZRANGE', KEYS[6], from, from + most - 1), 0, false
  for _, id in ipairs(ids) do
    local lease = redis.call('HGET', KEYS[7], id)
    if not gone[string.match(lease or '', '^[^|]*|%d+|%d+|([^|]*)') or ''] then kept = kept + 1
    elseif isOver(id) then over = true break
    else giveBack(id, lease) end
  end
  -- At the end of a pass, a process that is gone for ten times that has had each of its leases looked at many times.
  if #ids == most or over then nextRank = from + kept
  else
    local old = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', string.format('%.0f', now - 10 * tonumber(ARGV[6])), 'LIMIT', 0, most)
    if #old > 0 then redis.call('ZREM', KEYS[8], unpack(old)) end
  end
end
if returned > 0 then redis.call(ARGV[4], ARGV[3], '1') end
return {'OK', returned, nextRank, told, step}
