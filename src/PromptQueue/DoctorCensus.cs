using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// Where the jobs of one partition seem to be, read page by page while the queue is at work. A job that moves meanwhile may be missed or met
/// twice, so what looks wrong here is only a suspicion.
/// </summary>
internal sealed class DoctorCensus
{
    private const int PageSize = 1000;
    private readonly Dictionary<string, Sighting> _seen = [];

    /// <summary>Ids that have an envelope.</summary>
    public IEnumerable<string> Jobs => _seen.Where(s => s.Value.Envelope).Select(s => s.Key);

    /// <summary>Ids that do not seem to be in exactly one place, or whose lease does not fit their place.</summary>
    public IEnumerable<string> Suspects => _seen.Where(s => !s.Value.LooksRight).Select(s => s.Key);

    public static async Task<DoctorCensus> TakeAsync(RedisCalls database, QueueKeys keys, CancellationToken cancellationToken)
    {
        var census = new DoctorCensus();
        var cursor = "0";
        do
        {
            cancellationToken.ThrowIfCancellationRequested();
            var answer = (RedisResult[])(await QueueScripts.Scan.RunAsync(database, [keys.Jobs], [cursor, 100]).ConfigureAwait(false))!;
            cursor = (string)answer[0]!;
            foreach (var id in answer.Skip(1))
                census.At((string)id!).Envelope = true;
        }
        while (cursor != "0");

        foreach (var lane in keys.Waiting)
            await PagesAsync(from => database.ListRangeAsync(lane, from, from + PageSize - 1), sighting => sighting.Places++, census, cancellationToken).ConfigureAwait(false);
        // An empty place of a list, as sweep.lua leaves it, is no job's.
        census._seen.Remove("{}");
        await SetAsync(keys.Delayed, sighting => sighting.Places++).ConfigureAwait(false);
        await SetAsync(keys.Dead, sighting => sighting.Places++).ConfigureAwait(false);
        await SetAsync(keys.Inflight, sighting =>
        {
            sighting.Places++;
            sighting.Inflight = true;
        }).ConfigureAwait(false);
        await ScanAsync(from => database.HashScanAsync(keys.Leases, from, PageSize), leases =>
        {
            for (var n = 0; n + 1 < leases.Length; n += 2)
            {
                var sighting = census.At((string)leases[n]!);
                sighting.Leased = true;
                sighting.Held = !((string)leases[n + 1]!).StartsWith('|');
            }
        }, cancellationToken).ConfigureAwait(false);
        await ScanAsync(from => database.SetScanAsync(keys.Cancel, from, PageSize), asked =>
        {
            foreach (var id in asked)
                census.At((string)id!).Asked = true;
        }, cancellationToken).ConfigureAwait(false);
        return census;

        Task SetAsync(RedisKey key, Action<Sighting> seen) =>
            PagesAsync(from => database.SortedSetRangeByRankAsync(key, from, from + PageSize - 1), seen, census, cancellationToken);
    }

    private static async Task ScanAsync(Func<long, Task<(long Next, RedisResult[] Elements)>> read, Action<RedisResult[]> seen, CancellationToken cancellationToken)
    {
        for (var cursor = 0L; ;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (cursor, var elements) = await read(cursor).ConfigureAwait(false);
            seen(elements);
            if (cursor == 0)
                return;
        }
    }

    private static async Task PagesAsync(Func<long, Task<RedisValue[]>> read, Action<Sighting> seen, DoctorCensus census, CancellationToken cancellationToken)
    {
        for (var from = 0L; ; from += PageSize)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var page = await read(from).ConfigureAwait(false);
            foreach (var id in page)
                seen(census.At((string)id!));
            if (page.Length < PageSize)
                return;
        }
    }

    private Sighting At(string id)
    {
        if (!_seen.TryGetValue(id, out var sighting))
            _seen.Add(id, sighting = new Sighting());
        return sighting;
    }

    private sealed class Sighting
    {
        public bool Envelope { get; set; }

        public int Places { get; set; }

        public bool Inflight { get; set; }

        public bool Leased { get; set; }

        public bool Held { get; set; }

        public bool Asked { get; set; }

        // A dead job has no lease, but here it cannot be told from a waiting one: its lease is without a token in any case.
        public bool LooksRight => Envelope ? Places == 1 && Inflight == Held : Places == 0 && !Leased && !Asked;
    }
}
