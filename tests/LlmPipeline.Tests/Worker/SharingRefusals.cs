using System.Text;

namespace LlmPipeline.Tests;

/// <summary>A refusal is judged by all workers together: what is known of it goes with the job from claim to claim (<see cref="JobRefusal"/>).</summary>
public sealed class SharingRefusals
{
    public static TheoryData<int, string> Refusals => new()
    {
        { 402, """{"error":{"message":"this request needs more credits than are left"}}""" },
        { 404, """{"error":{"message":"no such model","code":"model_not_found"}}""" },
        { 403, """{"error":{"message":"no access for this input","code":403}}""" },
    };

    [Theory, MemberData(nameof(Refusals))]
    public async Task A_worker_that_has_had_successes_since_the_first_refusal_knows_that_it_is_the_rows_own(int status, string body)
    {
        await using var endpoint = Endpoint(status, body);
        await using var one = Caller(endpoint);
        await using var other = Caller(endpoint);
        var progress = await RefusedAsync(one);
        await CompletesAsync(other);

        var outcome = await CallAsync(other, "POISON", new CallProgress(CancellationToken.None) { Refused = progress.Refused });
        Assert.Equal((CallVerdict.Failed, body), (outcome.Verdict, outcome.Text()));
        Assert.Null(other.BlockageOf("m"));
    }

    [Theory, MemberData(nameof(Refusals))]
    public async Task A_worker_that_has_closed_the_account_or_the_model_fails_the_row_that_probes_it(int status, string body)
    {
        await using var endpoint = Endpoint(status, body);
        await using var one = Caller(endpoint);
        var first = await RefusedAsync(one);
        await CompletesAsync(one);
        for (var row = 2; row <= 6; row++)
            Assert.Equal(CallVerdict.Retry, (await CallAsync(one, "POISON", new CallProgress(CancellationToken.None), row)).Verdict);
        Assert.NotEmpty(one.Snapshot()[0].Outages);

        await Eventually.HoldsAsync(
            async () => (await CallAsync(one, "POISON", first)) is { Verdict: CallVerdict.Failed } failed && failed.Text() == body, "the row fails");
    }

    [Theory, MemberData(nameof(Refusals))]
    public async Task A_worker_that_has_just_begun_learns_that_there_were_answers_before(int status, string body)
    {
        await using var endpoint = Endpoint(status, body);
        await using var one = Caller(endpoint);
        await using var other = Caller(endpoint);
        var progress = await RefusedAsync(one);

        Assert.Equal(CallVerdict.Retry, (await CallAsync(other, "POISON", progress)).Verdict);
        Assert.Equal(CallVerdict.Failed, (await CallAsync(other, "POISON", progress)).Verdict);
        Assert.Empty(other.Snapshot()[0].Outages);
    }

    [Fact]
    public async Task A_refusal_by_another_deployment_says_nothing()
    {
        await using var endpoint = Endpoint(402, "{}");
        await using var one = Caller(endpoint);
        await using var other = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint, name: "another")));
        var progress = new CallProgress(CancellationToken.None);
        await CallAsync(one, "POISON", progress);
        await CompletesAsync(other);

        Assert.Equal(CallVerdict.Retry, (await CallAsync(other, "POISON", progress)).Verdict);
    }

    private static RawEndpoint Endpoint(int status, string body) => new((request, _) =>
        request.Target == "/v1/models" ? new RawReply(404, "{}")
        : request.Text.Contains("POISON", StringComparison.Ordinal) ? new RawReply(status, body)
        : RawReply.Ok);

    private static LlmCaller Caller(RawEndpoint endpoint) => CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));

    private static async Task CompletesAsync(LlmCaller caller) =>
        Assert.Equal(CallVerdict.Completed, (await CallAsync(caller, "fine", new CallProgress(CancellationToken.None), 99)).Verdict);

    /// <summary>A worker that has brought an answer is refused a row, and does not know yet whose fault that is.</summary>
    private static async Task<CallProgress> RefusedAsync(LlmCaller caller)
    {
        await CompletesAsync(caller);
        var progress = new CallProgress(CancellationToken.None);
        Assert.Equal(CallVerdict.Retry, (await CallAsync(caller, "POISON", progress)).Verdict);
        return progress;
    }

    private static Task<CallOutcome> CallAsync(LlmCaller caller, string text, CallProgress progress, int row = 1)
    {
        var job = new Job
        {
            Id = $"b-1.{row}",
            Queue = "m",
            Batch = "b-1",
            Row = row,
            Work = new RequestWork
            {
                Path = "/v1/chat/completions",
                Body = Encoding.UTF8.GetBytes($$"""{"model":"m","messages":[{"role":"user","content":"{{text}}"}]}"""),
            },
        };
        return ((ILlmCaller)caller).CallAsync(job, 0, null, progress, default);
    }
}
