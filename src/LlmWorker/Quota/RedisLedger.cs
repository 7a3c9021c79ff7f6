using System.Globalization;
using System.Reflection;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The quota that all workers of a fleet share: the hash <c>{quota:ACCOUNT}</c>, by Redis' clock. Each exchange takes what the waiting calls need, up to
/// what the pace has saved up, so a worker never holds more than a block of about 50 ms; one that dies loses that much, once, as it leaves with its minute.
/// </summary>
internal sealed class RedisLedger : IQuotaLedger
{
    private static readonly RedisScript Settle = RedisScript.Load(Assembly.GetExecutingAssembly(), "settle");
    private static readonly RedisScript Reserve = RedisScript.Load(Assembly.GetExecutingAssembly(), "window", "reserve");

    private readonly Func<RedisConnections> _find;
    private RedisConnections? _redis;
    private readonly RedisKey[] _keys;
    private readonly EarlierQuota? _earlier;
    private readonly string _worker = $"w-{Environment.ProcessId}-{Random.Shared.NextInt64():x16}";

    /// <param name="redis">The fleet's Redis; asked for with the first call.</param>
    /// <param name="account">Its name, see <see cref="QuotaAccount"/>: deployments of one name share one quota.</param>
    /// <param name="prefix">Goes before the key.</param>
    /// <param name="earlier">What earlier versions call the account; null where there are none.</param>
    /// <param name="time">The clock of the checks for workers of earlier versions.</param>
    public RedisLedger(Func<RedisConnections> redis, string account, string prefix = "", string? earlier = null, TimeProvider? time = null)
    {
        _find = redis;
        _keys = [KeyOf(account, prefix)];
        _earlier = earlier is null ? null : new EarlierQuota(Redis, KeyOf(earlier), Settle, time ?? TimeProvider.System);
    }

    public bool IsLocal => false;

    public async ValueTask<QuotaAnswer> ExchangeAsync(LedgerUpdate? update, QuotaAsk ask)
    {
        var database = Redis().Commands;
        // Sent one behind the other on one connection, so they run in this order.
        var settled = update is null ? Task.CompletedTask : Settle.RunAsync(database, _keys, Arguments(update));
        var reserved = Reserve.RunAsync(database, _keys, Arguments(ask));
        try
        {
            await settled.ConfigureAwait(false);
        }
        finally
        {
            await ((Task)reserved).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        var answer = Answer((string[])(await reserved.ConfigureAwait(false))!);
        if (_earlier is not null)
            await ChargeEarlierAsync(_earlier, update, ask, answer, database).ConfigureAwait(false);
        return answer;
    }

    // What is not permitted is waited for, as a Redis that is away.
    private RedisConnections Redis() => _redis ??= _find().With(RedisPatience.Once, static _ => { });

    private async Task ChargeEarlierAsync(EarlierQuota earlier, LedgerUpdate? update, QuotaAsk ask, QuotaAnswer answer, RedisCalls database)
    {
        var (isUsed, isNews) = await earlier.CheckAsync().ConfigureAwait(false);
        if (!isUsed)
            return;
        var settlements = new List<QuotaSettlement>();
        if (isNews)
        {
            // All of the last minute, what was granted just now included.
            var sums = await database.HashGetAsync(_keys[0], ["s1", "s2"]).ConfigureAwait(false);
            settlements.Add(new QuotaSettlement(answer.Slot, (long)(double)sums[0], (long)(double)sums[1], 0));
        }
        else
        {
            settlements.AddRange(update?.Settlements ?? []);
        }

        if (answer.Granted > 0 && !isNews)
            settlements.Add(new QuotaSettlement(answer.Slot, answer.Granted, ask.Calls.Take(answer.Granted).Sum(call => (long)call.Reserve), ask.Calls.Take(answer.Granted).Sum(call => (long)call.Pace)));
        if (settlements.Count > 0)
            await earlier.AddAsync(settlements).ConfigureAwait(false);
    }

    /// <summary>Its hash; braces would be another slot's.</summary>
    internal static string KeyOf(string account, string prefix = "") => $"{prefix}{{quota:{account.Replace('{', '(').Replace('}', ')')}}}";

    private static RedisValue[] Arguments(LedgerUpdate update)
    {
        List<RedisValue> arguments =
        [
            update.LearnedRequests is { } requests ? Text(requests) : "", update.LearnedTokens is { } tokens ? Text(tokens) : "",
            update.Guessed ? 1 : 0,
            Text(Math.Ceiling(update.Gate.TotalMilliseconds)), update.Failed is { } failed ? Text(failed) : "",
            update.Opens ? "open" : update.Probes ? "probe" : "",
        ];
        foreach (var settled in update.Settlements)
            arguments.AddRange([settled.Slot, settled.Requests, settled.Tokens, settled.Pace]);
        return [.. arguments];
    }

    private RedisValue[] Arguments(QuotaAsk ask)
    {
        List<RedisValue> arguments = [_worker, ask.Waiting, Text(ask.Limits.Requests), Text(ask.Limits.Tokens), Judged(ask.Judged.Requests), Judged(ask.Judged.Tokens)];
        foreach (var (reserve, pace) in ask.Calls)
            arguments.AddRange([reserve, pace]);
        return [.. arguments];

        static RedisValue Judged(double amount) => double.IsNaN(amount) ? "" : Text(amount);
    }

    private static QuotaAnswer Answer(string[] answer)
    {
        var numbers = Array.ConvertAll(answer, static text => double.Parse(text, CultureInfo.InvariantCulture));
        return new QuotaAnswer
        {
            Granted = (int)numbers[0],
            Wait = TimeSpan.FromMilliseconds(numbers[1]),
            Slot = (long)numbers[2],
            Gate = TimeSpan.FromMilliseconds(numbers[3]),
            Used = new QuotaAmount(numbers[4], numbers[5]),
            Level = new QuotaAmount(numbers[6], numbers[7]),
            Learned = new QuotaAmount(numbers[8], numbers[9]),
            Guessed = numbers[10] > 0,
            SinceCut = numbers[11] < 0 ? null : TimeSpan.FromMilliseconds(numbers[11]),
            Failed = numbers[12],
            OtherWorkers = (int)numbers[13],
            WaitingElsewhere = (int)numbers[14],
            Age = TimeSpan.FromMilliseconds(numbers[15]),
            IsProbing = numbers[16] > 0,
            SteppedBack = TimeSpan.FromMilliseconds(numbers[17]),
        };
    }

    private static string Text(double number) => number.ToString("0.######", CultureInfo.InvariantCulture);
}
