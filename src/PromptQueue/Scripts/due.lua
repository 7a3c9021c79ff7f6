-- No script of its own, but what one begins with that takes jobs: makeDue(delayed, jobs, first, now) puts delayed jobs that are due to the
-- front of their lanes: 100 at most, and envelopes of 4 MiB (one always passes), since a job's lane is the first byte of its envelope and
-- Redis reads none in part.
-- KEYS 1 to 3 of those from first on: waiting high, normal, low
-- Returns nothing.
-- Idempotent because what it has put there is no longer delayed.
local function makeDue(delayed, jobs, first, now)
  local ids = redis.call('ZRANGEBYSCORE', delayed, '-inf', string.format('%.0f', now), 'LIMIT', 0, 100)
  local last, bytes = #ids, 0
  for i, id in ipairs(ids) do
    bytes = bytes + redis.call('HSTRLEN', jobs, id)
    if i > 1 and bytes > 4194304 then last = i - 1 break end
  end
  for i = last, 1, -1 do
    redis.call('ZREM', delayed, ids[i])
    local envelope = redis.call('HGET', jobs, ids[i]) or ''
    redis.call('LPUSH', KEYS[first - 1 + tonumber(string.match(envelope, '^[123]') or 2)], ids[i])
  end
end
