using System.Globalization;
using System.Reflection;
using StackExchange.Redis;

namespace LlmPipeline;

/// <summary>
/// The quota that all workers of a fleet share: the hash <c>{quota:DEPLOYMENT}</c>, by Redis' clock. Each exchange takes what the waiting calls need, up to
/// what the pace has saved up, so a worker never holds more than a block of about 50 ms; one that dies loses that much, once, as it leaves with its minute.
/// </summary>
internal sealed class RedisLedger : IQuotaLedger
{
    private static readonly RedisScript Settle = RedisScript.Load(Assembly.GetExecutingAssembly(), "settle");
    private static readonly RedisScript Reserve = RedisScript.Load(Assembly.GetExecutingAssembly(), "reserve");

    private readonly Func<RedisConnections> _find;
    private RedisConnections? _redis;
    private readonly RedisKey[] _keys;
    private readonly string _worker = $"w-{Environment.ProcessId}-{Random.Shared.NextInt64():x16}";

    /// <param name="redis">The fleet's Redis; asked for with the first call.</param>
    /// <param name="deployment">Its name: deployments of one name share one quota.</param>
    public RedisLedger(Func<RedisConnections> redis, string deployment)
    {
        _find = redis;
        _keys = [KeyOf(deployment)];
    }

    public bool IsLocal => false;

    public async ValueTask<QuotaAnswer> ExchangeAsync(LedgerUpdate? update, QuotaAsk ask)
    {
        // What is not permitted is waited for, as a Redis that is away.
        var database = (_redis ??= _find().With(RedisPatience.Once, static _ => { })).Commands;
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
        return Answer((string[])(await reserved.ConfigureAwait(false))!);
    }

    /// <summary>Its hash; braces would be another slot's.</summary>
    internal static string KeyOf(string deployment) => $"{{quota:{deployment.Replace('{', '(').Replace('}', ')')}}}";

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
        };
    }

    private static string Text(double number) => number.ToString("0.######", CultureInfo.InvariantCulture);
}
