using Xunit.Abstractions;

namespace LlmPipeline.Tests;

/// <summary>The figures that docs/quota.md promises, on a clock of their own.</summary>
public sealed class UsingTheQuotaToTheLastToken(ITestOutputHelper output)
{
    [Theory]
    [InlineData(600, null, 1)]
    [InlineData(3000, null, 2)]
    [InlineData(60, null, 3)]
    public void A_limit_of_requests_is_used_to_98_percent_over_three_minutes_without_a_refusal(int requests, int? tokens, int seed)
    {
        using var run = new JudgedRun(requests, tokens, seed: seed);
        run.Run(180);
        Tell(run, run.Requests / (requests * 3.0));
        Assert.InRange(run.Requests / (requests * 3.0), 0.98, 1.001);
        Assert.InRange(run.Refused, 0, run.Answered / 1000);
    }

    [Theory]
    [InlineData(200_000, true, 1)]
    [InlineData(200_000, false, 2)]
    [InlineData(1_000_000, true, 3)]
    [InlineData(1_000_000, false, 4)]
    [InlineData(60_000, true, 5)]
    public void A_limit_of_tokens_is_used_to_98_percent_over_three_minutes_without_a_refusal(int tokens, bool corrects, int seed)
    {
        using var run = new JudgedRun(100_000, tokens, corrects: corrects, seed: seed) { Concurrency = tokens / 2000 };
        run.Run(180);
        Tell(run, run.Tokens / (tokens * 3.0));
        // A call of 60,000 tokens a minute's worth of which is 1,400 leaves a gap now and then.
        Assert.InRange(run.Tokens / (tokens * 3.0), tokens < 100_000 ? 0.96 : 0.98, 1.01);
        Assert.InRange(run.Refused, 0, run.Answered / 1000);
    }

    [Theory]
    [InlineData(600, null)]
    [InlineData(null, 200_000)]
    public void Unknown_limits_are_found_by_the_first_answer_and_used_after_the_first_minute(int? requests, int? tokens)
    {
        using var run = new JudgedRun(requests, tokens, isKnown: false) { Concurrency = 16 };
        run.Run(60);
        Tell(run, 0);
        run.Reset();
        run.Run(120);
        var used = requests is null ? run.Tokens / (tokens!.Value * 2.0) : run.Requests / (requests.Value * 2.0);
        Tell(run, used);
        Assert.InRange(used, 0.95, 1.01);
        Assert.InRange(run.Refused, 0, run.Answered / 1000);
    }

    [Theory]
    [InlineData(3000, null)]
    [InlineData(null, 400_000)]
    public void A_limit_that_is_halved_under_way_is_kept_at_once(int? requests, int? tokens)
    {
        using var run = new JudgedRun(requests, tokens);
        run.Run(90);
        run.SetLimits(requests / 2, tokens / 2);
        run.Reset();
        var (sum, samples) = (0.0, 0);
        run.Run(60, () =>
        {
            samples++;
            sum += Math.Min(1, requests is null ? run.InMinute.Tokens / (tokens!.Value / 2.0) : run.InMinute.Requests / (requests.Value / 2.0));
        });
        Tell(run, sum / samples);
        Assert.InRange(sum / samples, 0.95, 1);
        Assert.InRange(run.Refused, 0, (run.Answered + run.Refused) / 100);
        run.Reset();
        run.Run(60);
        var used = requests is null ? run.Tokens / (tokens!.Value / 2.0) : run.Requests / (requests.Value / 2.0);
        Tell(run, used);
        Assert.InRange(used, 0.95, 1.01);
    }

    [Theory]
    [InlineData(600, 64, 1)]
    [InlineData(600, 64, 2)]
    [InlineData(600, 64, 3)]
    [InlineData(600, 64, 4)]
    [InlineData(600, 64, 5)]
    [InlineData(600, 64, 6)]
    [InlineData(600, 64, 7)]
    [InlineData(600, 64, 8)]
    [InlineData(6000, 300, 1)]
    [InlineData(6000, 300, 2)]
    [InlineData(6000, 300, 3)]
    public void A_limit_that_nobody_tells_is_guessed_from_refusals_and_approached_slowly(int requests, int concurrency, int seed)
    {
        using var run = new JudgedRun(requests, null, isKnown: false, tells: false, seed: seed) { Concurrency = concurrency };
        run.Run(90);
        Tell(run, run.Requests / (requests * 1.5));
        Assert.InRange(Used(run, 180, requests * 3.0), 0.85, 1);
        Assert.InRange(run.Refused, 0, run.Answered / 50);
    }

    [Fact]
    public void What_others_take_of_the_same_quota_is_seen_in_the_headers_and_left_to_them()
    {
        using var run = new JudgedRun(1200, null);
        var (step, foreign) = (0, 0);
        run.Run(60);
        run.Reset();
        // Five calls a second: a quarter of it.
        run.Run(120, () => foreign += ++step % 40 == 0 && run.Foreign(1) ? 1 : 0);
        Tell(run, (run.Requests + foreign) / 2400.0);
        Assert.InRange(run.Refused, 0, run.Answered / 50);
        Assert.InRange((run.Requests + foreign) / 2400.0, 0.9, 1);
    }

    [Fact]
    public void A_start_and_an_idle_time_are_no_burst()
    {
        using var run = new JudgedRun(600, null) { Demand = static at => at.TotalSeconds % 60 < 30 };
        run.Run(1);
        Assert.InRange(run.FullestSecond, 5, 16);
        run.Run(119);
        Tell(run, 0);
        // The even share is ten a second; what was left over is caught up with at up to twice that.
        Assert.InRange(run.FullestSecond, 10, 24);
        Assert.Equal(0, run.Refused);
    }

    [Theory]
    [InlineData(3000, 0.001, 0.1, 0.85)]
    [InlineData(3000, 0.01, 0.1, 0.93)]
    [InlineData(3000, 0.01, 1, 0.93)]
    [InlineData(3000, 0.05, 0.1, 0.93)]
    [InlineData(3000, 0.2, 0.1, 0.93)]
    [InlineData(300, 0.05, 1, 0.9)]
    public void Calls_that_are_refused_at_any_rate_take_none_of_the_quota(int requests, double hiccups, double wait, double least)
    {
        using var run = new JudgedRun(requests, null) { Hiccups = hiccups, HiccupWait = TimeSpan.FromSeconds(wait) };
        run.Run(60);
        Tell(run, run.Requests / (double)requests);
        run.Reset();
        run.Run(180);
        Tell(run, run.Requests / (requests * 3.0));
        // A refused call is a request spent.
        Assert.InRange(run.Requests / (requests * 3.0), least * (1 - hiccups), 1);
        Assert.InRange(run.Refused / (double)(run.Answered + run.Refused), hiccups / 2, (hiccups * 1.3) + 0.002);
    }

    [Theory]
    [InlineData(0.001, 0.1, 32)]
    [InlineData(0.01, 0.1, 32)]
    [InlineData(0.05, 1, 32)]
    [InlineData(0.2, 0.1, 32)]
    [InlineData(0.05, 0.1, 4)]
    public void Where_nothing_is_limited_calls_that_are_refused_at_any_rate_make_no_limit(double hiccups, double wait, int concurrency)
    {
        using var free = new JudgedRun(null, null, isKnown: false, tells: false) { Concurrency = concurrency };
        free.Run(180);
        using var run = new JudgedRun(null, null, isKnown: false, tells: false) { Concurrency = concurrency, Hiccups = hiccups, HiccupWait = TimeSpan.FromSeconds(wait) };
        run.Run(90);
        Assert.InRange(Used(run, 180, free.Requests), 0.9, 1.05);
    }

    [Theory]
    [InlineData(0.01, 0.75, 0.1)]
    [InlineData(0.05, 0.75, 0.25)]
    [InlineData(0.2, 0.75, 0.5)]
    public void A_limit_that_nobody_tells_is_found_among_calls_that_are_refused_at_any_rate(double hiccups, double least, double mostRefused)
    {
        using var run = new JudgedRun(600, null, isKnown: false, tells: false) { Concurrency = 64, Hiccups = hiccups };
        run.Run(90);
        Assert.InRange(Used(run, 180, 1800), least, 1);
        Assert.InRange(run.Refused / (double)(run.Answered + run.Refused), hiccups / 2, mostRefused);
    }

    [Theory]
    [InlineData(true, 1)]
    [InlineData(false, 1)]
    [InlineData(false, 2)]
    public void A_limit_that_is_halved_without_a_word_is_found_again(bool isKnown, int seed)
    {
        using var run = new JudgedRun(1200, null, isKnown, tells: false, seed: seed) { Concurrency = 64 };
        run.Run(240);
        run.SetLimits(600, null);
        run.Reset();
        run.Run(180);
        Tell(run, run.Requests / 1800.0);
        // For two minutes it may take what is refused for what is refused at any rate.
        Assert.InRange(run.Refused, 0, (run.Answered + run.Refused) / 2);
        Assert.InRange(Used(run, 180, 1800), 0.85, 1);
        Assert.InRange(run.Refused, 0, run.Answered / 20);
    }

    [Fact]
    public void A_guess_that_nobody_needed_for_an_hour_is_soon_right_again()
    {
        var busy = true;
        using var run = new JudgedRun(600, null, isKnown: false, tells: false) { Concurrency = 64, Demand = _ => busy };
        run.Run(180);
        busy = false;
        run.Run(3600);
        busy = true;
        Assert.InRange(Used(run, 180, 1800), 0.6, 1.05);
        Assert.InRange(run.Refused, 0, (run.Answered + run.Refused) / 5);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Refusals_of_the_very_first_calls_are_soon_forgotten_where_nothing_is_limited(int refusals)
    {
        using var free = new JudgedRun(null, null, isKnown: false, tells: false) { Concurrency = 32 };
        free.Run(60);
        using var run = new JudgedRun(null, null, isKnown: false, tells: false) { Concurrency = 1, HiccupWait = TimeSpan.FromSeconds(1) };
        for (var n = 0; n < refusals; n++)
        {
            run.Hiccups = 1;
            while (run.Refused <= n)
                run.Run(0.05);
            run.Hiccups = 0;
            run.Run(5);
        }

        run.Concurrency = 32;
        run.Run(40);
        Assert.InRange(Used(run, 60, free.Requests), 0.9, 1.05);
    }

    // The share of so many requests that is answered in so many seconds from here on.
    private double Used(JudgedRun run, double seconds, double requests)
    {
        run.Reset();
        run.Run(seconds);
        Tell(run, run.Requests / requests);
        return run.Requests / requests;
    }

    private void Tell(JudgedRun run, double used) =>
        output.WriteLine($"used {used:P2}; {run.Answered} answered, {run.Refused} refused, fullest second {run.FullestSecond}, limits {run.Limits}, in the minute {run.InMinute}");
}
