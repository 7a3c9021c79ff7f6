using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

/// <summary>
/// A limiter before the simulator's windows as its judge, on a clock of its own: no network, no process, minutes in a second. Calls have mixed sizes, some with
/// max_tokens and some without, take their time, and reach the judge a little later than they were sent, one more than the other.
/// </summary>
internal sealed class JudgedRun : IDisposable
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(5);

    private readonly FakeTimeProvider _time = new();
    private readonly PriorityQueue<Action, DateTimeOffset> _events = new();
    private readonly List<(ValueTask<RequestTokenLease> Lease, Call Call)> _waiting = [];
    private readonly Random _random;
    private readonly RateWindows _judge;
    private readonly RequestTokenLimiter _limiter;
    private readonly bool _corrects;
    private readonly bool _tells;
    private int _out;

    /// <param name="requests">The judge's limit; null for none.</param>
    /// <param name="tokens">The judge's limit; null for none.</param>
    /// <param name="isKnown">Whether the limiter is told the limits.</param>
    /// <param name="corrects">Whether the judge corrects what was reserved to what was used.</param>
    /// <param name="tells">Whether answers have headers.</param>
    /// <param name="seed">Of sizes and times.</param>
    public JudgedRun(int? requests, int? tokens, bool isKnown = true, bool corrects = true, bool tells = true, int seed = 1)
    {
        _random = new Random(seed);
        _judge = new RateWindows(_time, requests, tokens);
        _corrects = corrects;
        _tells = tells;
        var configured = isKnown ? new QuotaAmount(requests ?? 0, tokens ?? 0) : default;
        _limiter = new RequestTokenLimiter(new MemoryLedger(_time), configured, TimeSpan.FromSeconds(5), _time, NullLogger.Instance);
    }

    /// <summary>How many calls there are at most: waiting for their turn and under way.</summary>
    public int Concurrency { get; set; } = 200;

    /// <summary>Share of the calls that are refused whatever the limits are, with a wait of <see cref="HiccupWait"/>.</summary>
    public double Hiccups { get; set; }

    public TimeSpan HiccupWait { get; init; } = TimeSpan.FromSeconds(0.1);

    /// <summary>Whether a call may be made now; always by default.</summary>
    public Func<TimeSpan, bool> Demand { get; init; } = static _ => true;

    public int Answered { get; private set; }

    public int Refused { get; private set; }

    public long Requests { get; private set; }

    public long Tokens { get; private set; }

    /// <summary>The fullest second, in calls that the judge let in.</summary>
    public int FullestSecond { get; private set; }

    public QuotaAmount Limits => _limiter.Limits;

    public (long Requests, long Tokens) InMinute => _judge.State() is var state ? ((state.Requests ?? 0) - state.RequestsLeft, (state.Tokens ?? 0) - state.TokensLeft) : default;

    public void SetLimits(int? requests, int? tokens) => _judge.SetLimits(requests, tokens);

    /// <summary>Somebody else's call on the same quota.</summary>
    public bool Foreign(long tokens) => _judge.Admit(tokens).Refused is null;

    /// <summary>Counts from zero again.</summary>
    public void Reset() => (Answered, Refused, Requests, Tokens, FullestSecond) = (0, 0, 0, 0, 0);

    /// <summary>Runs so long.</summary>
    /// <param name="seconds">Of its own clock.</param>
    /// <param name="each">Called each 5 ms.</param>
    public void Run(double seconds, Action? each = null)
    {
        var end = _time.GetUtcNow().AddSeconds(seconds);
        var (inSecond, second) = (Requests, _time.GetUtcNow());
        while (_time.GetUtcNow() < end)
        {
            while (_out < Concurrency && Demand(_time.GetUtcNow() - DateTimeOffset.UnixEpoch))
                Start();
            _time.Advance(Step);
            each?.Invoke();
            while (_events.TryPeek(out var next, out var due) && due <= _time.GetUtcNow())
            {
                _events.Dequeue();
                next();
            }
            for (var i = 0; i < _waiting.Count; i++)
                if (_waiting[i] is { Lease.IsCompleted: true } one)
                {
                    _waiting.RemoveAt(i--);
                    Send(one.Lease.GetAwaiter().GetResult(), one.Call);
                }
            if (_time.GetUtcNow() - second < TimeSpan.FromSeconds(1))
                continue;
            FullestSecond = Math.Max(FullestSecond, (int)(Requests - inSecond));
            (inSecond, second) = (Requests, _time.GetUtcNow());
        }
    }

    public void Dispose() => _limiter.Dispose();

    private void Start()
    {
        _out++;
        var call = new Call(_random.Next(10, 100) * _random.Next(1, 12), _random.Next(20, 90), _random.Next(3) == 0 ? null : _random.Next(90, 300));
        // The completion's length is not known before, only its average; a prompt is counted a little wrong.
        var estimate = new TokenEstimate(call.Prompt + _random.Next(-2, 3), call.Max ?? (_corrects ? 55 : 16), _corrects ? 55 : call.Max ?? 16);
        _waiting.Add((_limiter.AcquireAsync(_limiter.CountsTokens ? estimate : default, default), call));
    }

    private void Send(RequestTokenLease lease, Call call)
    {
        if (!lease.IsAcquired)
        {
            After(1, () => _out--);
            return;
        }
        After(0.001 + (_random.NextDouble() * 0.15), () =>
        {
            if (_random.NextDouble() < Hiccups)
            {
                Refuse(lease, new RateLimitHeaders(), HiccupWait);
                return;
            }
            var admission = _judge.Admit(call.Prompt + (call.Max ?? 16));
            if (admission.Refused is not null)
            {
                Refuse(lease, Headers(), admission.RetryAfter);
                return;
            }
            Requests++;
            Tokens += call.Prompt + (_corrects ? call.Completion : call.Max ?? 16);
            After(0.2 + _random.NextDouble(), () =>
            {
                if (_corrects && admission.Reservation is { } reservation)
                    _judge.Correct(reservation, call.Prompt + call.Completion);
                Answered++;
                _out--;
                lease.Settle(call.Prompt + (_corrects ? call.Completion : call.Max ?? 16));
                _limiter.Hear(Headers());
            });
        });
    }

    // The call itself comes again after its wait; until then it holds its place.
    private void Refuse(RequestTokenLease lease, RateLimitHeaders headers, TimeSpan wait)
    {
        Refused++;
        After(wait.TotalSeconds, () => _out--);
        lease.Settle(0);
        _limiter.Refuse(lease.Number, headers with { RetryAfter = wait }, wait);
    }

    private RateLimitHeaders Headers() => _tells ? Headers(_judge.State()) : new RateLimitHeaders();

    private static RateLimitHeaders Headers(LimitState state) => new()
    {
        RequestLimit = state.Requests,
        RequestsLeft = state.Requests is null ? null : state.RequestsLeft,
        RequestReset = state.Requests is null ? null : state.UntilFull,
        TokenLimit = state.Tokens,
        TokensLeft = state.Tokens is null ? null : state.TokensLeft,
        TokenReset = state.Tokens is null ? null : state.UntilFull,
    };

    private void After(double seconds, Action action) => _events.Enqueue(action, _time.GetUtcNow().AddSeconds(seconds));

    private sealed record Call(int Prompt, int Completion, int? Max);
}
