-- Ends claims whose result stands: completed, cancelled or expired.
-- KEYS 1 meta  2 jobs  3 inflight  4 leases  5 dead  6 cancel  7 stopped  8 deadlines  9 spent  then per batch: batch, ended, finished
-- ARGV 1 partitions  2 schema version  3 batch TTL, s
--      then per job (<= 500): id, token, state (1 completed, 2 expired: counted as failed, 3 cancelled), batch (1, 2 ...; 0 for none), row, costs ('nanos deployment', a line each)
-- Returns {'OK', per job: 1 settled | 0 had ended already | -1 someone else's} or {'MISMATCH', partitions, version}
-- Idempotent because an id settles once, and a row's two bits say whether it is counted and as what. Costs are counted with the claim that settles, and
-- those of a late completion with the bits that it turns.
redis.call('ZREM', KEYS[3], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local names, counts, finished, ids = {'completed', 'failed', 'cancelled', 'expected'}, {}, {}, {}
for i = 4, #ARGV, 6 do ids[#ids + 1] = ARGV[i] end
if #ids == 0 then return {'OK'} end
local leases = redis.call('HMGET', KEYS[4], unpack(ids))
local function count(id, state, batch, row, held)
  local bits = KEYS[8 + batch * 3]
  local before = redis.call('BITFIELD', bits, 'SET', 'u2', row, state)[1]
  if before == state then return end
  if before ~= 0 and state ~= 1 then redis.call('BITFIELD', bits, 'SET', 'u2', row, before) return end
  if not counts[batch] then counts[batch], finished[batch] = {0, 0, 0, 0}, {} end
  -- Neither held nor ever ended: a failover has undone its enqueueing, and the answer is there all the same.
  if before == 0 and not held then counts[batch][4] = counts[batch][4] + 1 end
  if before ~= 0 then counts[batch][before] = counts[batch][before] - 1 end
  counts[batch][state] = counts[batch][state] + 1
  table.insert(finished[batch], id)
  return true
end

local out, settled = {'OK'}, {}
for n, id in ipairs(ids) do
  local i = 6 * n - 2
  local state, batch, answer = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), -1
  if leases[n] and string.match(leases[n], '^[^|]*') == ARGV[i + 1] then answer = 1
  elseif redis.call('HEXISTS', KEYS[2], id) == 0 or redis.call('ZSCORE', KEYS[5], id) then answer = 0 end
  if answer == 1 or (answer == 0 and state == 1) then
    settled[#settled + 1] = id
    local turned = batch > 0 and count(id, state, batch, '#' .. ARGV[i + 4], answer == 1)
    for nanos, name in string.gmatch((answer == 1 or turned) and ARGV[i + 5] or '', '(%d+) ([^\n]*)') do
      redis.call('HINCRBY', KEYS[9], name, nanos)
      if batch > 0 then redis.call('HINCRBY', KEYS[7 + batch * 3], 'spent', nanos) end
    end
  end
  out[n + 1] = answer
end
if #settled > 0 then
  for _, key in ipairs({3, 5, 8}) do redis.call('ZREM', KEYS[key], unpack(settled)) end
  for _, key in ipairs({2, 4}) do redis.call('HDEL', KEYS[key], unpack(settled)) end
  redis.call('SREM', KEYS[6], unpack(settled))
end
for batch, sums in pairs(counts) do
  local key = KEYS[7 + batch * 3]
  for state = 1, 4 do if sums[state] ~= 0 then redis.call('HINCRBY', key, names[state], sums[state]) end end
  redis.call('RPUSH', KEYS[9 + batch * 3], unpack(finished[batch]))
  -- A stopped batch is named to the workers for as long as rows of it are left.
  local rows = redis.call('HMGET', key, 'stop', 'expected', 'completed', 'failed', 'cancelled')
  if rows[1] and (rows[3] or 0) + (rows[4] or 0) + (rows[5] or 0) >= tonumber(rows[2] or 0) then redis.call('ZREM', KEYS[7], string.match(key, '}:batch:(.*)$')) end
end
for i = 10, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[3]) end
return out
