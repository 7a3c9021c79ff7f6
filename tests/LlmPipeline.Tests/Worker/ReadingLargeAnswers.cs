using Microsoft.Extensions.Time.Testing;

namespace LlmPipeline.Tests;

/// <summary><see cref="LargeAnswers"/>, <see cref="AttemptTimer"/> and what <see cref="AnswerReader"/> reads.</summary>
public sealed class ReadingLargeAnswers
{
    private const long Mebibyte = 1024 * 1024;
    private static readonly TimeSpan Safety = TimeSpan.FromSeconds(60);
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task A_few_are_read_at_a_time_and_flows_take_turns()
    {
        var large = new LargeAnswers(1, _time);
        var first = await large.EnterAsync("a", default);
        var second = large.EnterAsync("a", default).AsTask();
        var other = large.EnterAsync("b", default).AsTask();
        Assert.False(second.IsCompleted || other.IsCompleted);
        first.Dispose();
        first.Dispose();
        var turn = await other.WaitAsync(Safety);
        Assert.False(second.IsCompleted);
        turn.Dispose();
        await second.WaitAsync(Safety);
    }

    [Fact]
    public async Task None_is_read_on_while_too_many_bytes_wait_to_be_stored()
    {
        var large = new LargeAnswers(4, _time);
        var slots = new Slots(4, _time, large);
        Assert.True(await slots.EnterAsync(flow: "a"));
        slots.Called(entered: true, isAnswered: true, answerBytes: 70 * Mebibyte, flow: "a");
        var waiting = large.EnterAsync("a", default).AsTask();
        Assert.False(waiting.IsCompleted);
        slots.Stored(1, 70 * Mebibyte, "a");
        await waiting.WaitAsync(Safety);
    }

    [Fact]
    public async Task It_is_read_on_in_any_case_before_the_server_gives_up()
    {
        var large = new LargeAnswers(1, _time);
        await large.EnterAsync("a", default);
        var second = large.EnterAsync("a", default).AsTask();
        _time.Advance(LargeAnswers.LongestWait - TimeSpan.FromSeconds(1));
        Assert.False(second.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(1));
        await second.WaitAsync(Safety);
    }

    [Fact]
    public async Task Whoever_stops_waiting_takes_no_turn()
    {
        var large = new LargeAnswers(1, _time);
        var first = await large.EnterAsync("a", default);
        using var stop = new CancellationTokenSource();
        var stopped = large.EnterAsync("a", stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => stopped.WaitAsync(Safety));
        Assert.False(large.EnterAsync("a", default).IsCompleted);
        first.Dispose();
    }

    [Fact]
    public async Task An_answer_that_pauses_loses_its_turn_and_is_read_on()
    {
        var large = new LargeAnswers(1, _time);
        var turn = await large.EnterAsync("a", default);
        var other = large.EnterAsync("b", default).AsTask();
        var more = new TaskCompletionSource<int>();
        var read = large.ReadOnAsync(turn, more.Task);
        Assert.False(other.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(2));
        await other.WaitAsync(Safety);
        Assert.False(read.IsCompleted);
        more.SetResult(5);
        Assert.Equal(5, await read.WaitAsync(Safety));
    }

    [Fact]
    public void The_time_of_a_call_does_not_run_while_its_answer_waits_here()
    {
        using var timer = new AttemptTimer(TimeSpan.FromSeconds(5), _time, default);
        _time.Advance(TimeSpan.FromSeconds(3));
        timer.Pause();
        _time.Advance(TimeSpan.FromSeconds(60));
        timer.Resume();
        _time.Advance(TimeSpan.FromSeconds(1.9));
        Assert.False(timer.HasEnded);
        _time.Advance(TimeSpan.FromSeconds(0.2));
        Assert.True(timer.HasEnded && timer.Token.IsCancellationRequested);
    }

    [Fact]
    public async Task Of_an_answer_that_is_announced_as_too_large_little_is_read()
    {
        var body = new CountingBody(40 * Mebibyte);
        using var content = new StreamContent(body, 4096);
        content.Headers.ContentLength = body.Length;
        CallContext.Current = new CallContext("1", "m", TimeSpan.FromSeconds(5));
        using var response = new HttpResponseMessage { Content = content };
        await AnswerReader.LoadAsync(response, default);
        Assert.Equal("answer_too_large", ((AnswerContent)response.Content).Check?.Code);
        Assert.InRange(body.Position, 1, 64 * 1024);
    }

    [Fact]
    public async Task Large_answers_that_wait_to_be_read_take_no_other_call_its_place()
    {
        const int FirstCalls = 16;
        await using var endpoint = new RawEndpoint((request, _) => request.Text.Contains("GIANT", StringComparison.Ordinal)
            ? RawReply.Ok with { Body = RawReply.Completion.Replace("four", new string('a', 300 * 1024), StringComparison.Ordinal) }
            : RawReply.Ok);
        await using var caller = CallerHouse.Caller(CallerHouse.Options(CallerHouse.At(endpoint)));
        var large = ((ILlmCaller)caller).LargeAnswers!;
        // None is read on until some are stored.
        large.AddUnstored(100 * Mebibyte);
        var giants = Enumerable.Range(0, FirstCalls)
            .Select(_ => caller.CallAsync(CallerHouse.Request("""{"model":"m","messages":["GIANT"]}"""), 0, default)).ToArray();
        await Eventually.HoldsAsync(() => Task.FromResult(endpoint.Requests.Count == FirstCalls), "all are sent");
        var small = await caller.CallAsync(CallerHouse.Request(), 0, default).WaitAsync(LargeAnswers.LongestWait / 2);
        Assert.Equal(CallVerdict.Completed, small.Verdict);
        Assert.DoesNotContain(giants, giant => giant.IsCompleted);
        large.AddUnstored(-100 * Mebibyte);
        Assert.All(await Task.WhenAll(giants).WaitAsync(Safety), giant => Assert.Equal(CallVerdict.Completed, giant.Verdict));
    }

    /// <summary>White space; its position is what was read.</summary>
    private sealed class CountingBody(long length) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position { get; set; }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            var read = (int)Math.Min(buffer.Length, length - Position);
            buffer[..read].Fill((byte)'{');
            Position += read;
            return read;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
