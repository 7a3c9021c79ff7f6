-- Ends claims whose result stands: completed, cancelled or expired.
-- KEYS 1 meta  2 jobs  3 inflight  4 leases  5 dead  6 cancel  7 stopped  8 deadlines  9 spent  then per batch: batch, ended, finished
-- ARGV 1 partitions  2 schema version  3 batch TTL, s  4 jobs (1-500)  5 "1": costs are given
--      then of each job its id; of each its token and a bar; of each its row; where costs are given, of each 'nanos deployment', a line each
--      then per run of jobs: how many, and what they share: state (1 completed, 2 expired: counted as failed, 3 cancelled), batch (1, 2 ...; 0 for none),
--      the first and the last byte of the batch's bitmap, four rows each, that have their rows (<= 512 bytes)
-- Returns {'OK', a sign per job: 1 settled | 0 had ended already | - someone else's} or {'MISMATCH', partitions, version}
-- Idempotent because an id settles once, and a row's two bits say whether it is counted and as what. Costs are counted with the claim that settles, and
-- those of a late completion with the bits that it turns.
redis.call('ZREM', KEYS[3], '')
local meta = redis.call('HMGET', KEYS[1], 'partitions', 'version')
if meta[1] and (meta[1] ~= ARGV[1] or meta[2] ~= ARGV[2]) then return {'MISMATCH', meta[1], meta[2] or ''} end

local names, jobs = {'completed', 'failed', 'cancelled', 'expected'}, tonumber(ARGV[4])
local id, fence, row, cost = 5, 5 + jobs, 5 + 2 * jobs, ARGV[5] == '1' and 5 + 3 * jobs
local function pay(n, batch)
  for nanos, name in string.gmatch(cost and ARGV[cost + n] or '', '(%d+) ([^\n]*)') do
    redis.call('HINCRBY', KEYS[9], name, nanos)
    if batch > 0 then redis.call('HINCRBY', KEYS[7 + batch * 3], 'spent', nanos) end
  end
end
local leases, signs, settled, count, upTo = redis.call('HMGET', KEYS[4], unpack(ARGV, 6, fence)), {}, {}, 0, 0
for at = (cost or row) + jobs + 1, #ARGV, 5 do
  local state, batch, first, sums, finished = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), {0, 0, 0, 0}, {}
  local key, ended = KEYS[7 + batch * 3], KEYS[8 + batch * 3]
  local bytes = {string.byte(batch > 0 and redis.call('GETRANGE', ended, ARGV[at + 3], ARGV[at + 4]) or '', 1, -1)}
  for n = upTo + 1, upTo + ARGV[at] do
    local held, gone = leases[n] and string.find(leases[n], ARGV[fence + n], 1, true) == 1, false
    if not held then gone = redis.call('HEXISTS', KEYS[2], ARGV[id + n]) == 0 or redis.call('ZSCORE', KEYS[5], ARGV[id + n]) end
    signs[n] = held and '1' or gone and '0' or '-'
    if held or (gone and state == 1) then
      count, settled[count + 1] = count + 1, ARGV[id + n]
      -- The row's two bits, of which the first row of a byte has the highest.
      local place = ARGV[row + n] % 4
      local byte, weight = (ARGV[row + n] - place) / 4 - first + 1, 4 ^ (3 - place)
      local old = bytes[byte] or 0
      local before = (old % (4 * weight) - old % weight) / weight
      local turned = batch > 0 and (before == 0 or (before ~= state and state == 1))
      if turned then
        for k = #bytes + 1, byte do bytes[k] = 0 end
        bytes[byte] = old + (state - before) * weight
        -- Neither held nor ever ended: a failover has undone its enqueueing, and the answer is there all the same.
        if before ~= 0 then sums[before] = sums[before] - 1 elseif not held then sums[4] = sums[4] + 1 end
        sums[state], finished[#finished + 1] = sums[state] + 1, ARGV[id + n]
      end
      if cost and (turned or held) then pay(n, batch) end
    end
  end
  if #finished > 0 then
    redis.call('SETRANGE', ended, ARGV[at + 3], string.char(unpack(bytes)))
    redis.call('RPUSH', KEYS[9 + batch * 3], unpack(finished))
    for n = 1, 4 do if sums[n] ~= 0 then redis.call('HINCRBY', key, names[n], sums[n]) end end
  end
  -- A stopped batch is named to the workers for as long as rows of it are left.
  local left = batch > 0 and redis.call('HMGET', key, 'stop', 'expected', 'completed', 'failed', 'cancelled') or {}
  if left[1] and (left[3] or 0) + (left[4] or 0) + (left[5] or 0) >= tonumber(left[2] or 0) then redis.call('ZREM', KEYS[7], string.match(key, '}:batch:(.*)$')) end
  upTo = upTo + ARGV[at]
end
-- Mostly only the first three are there at all.
for n, verb in pairs(count > 0 and {[3] = 'ZREM', [2] = 'HDEL', [4] = 'HDEL', [5] = 'ZREM', [6] = 'SREM', [8] = 'ZREM'} or {}) do
  if redis.call('EXISTS', KEYS[n]) == 1 then redis.call(verb, KEYS[n], unpack(settled)) end
end
for n = 10, #KEYS do redis.call('EXPIRE', KEYS[n], ARGV[3]) end
return {'OK', table.concat(signs)}
