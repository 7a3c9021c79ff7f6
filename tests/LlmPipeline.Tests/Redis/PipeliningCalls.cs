namespace LlmPipeline;

public sealed class PipeliningCalls
{
    private readonly List<TaskCompletionSource<int>> _calls = [];

    [Fact]
    public async Task So_many_calls_have_no_answer_at_a_time_and_the_answers_keep_their_order()
    {
        var answers = Begin(5, atOnce: 3);
        Assert.Equal(3, _calls.Count);
        _calls[1].SetResult(1);
        _calls[2].SetResult(2);
        Assert.Equal(3, _calls.Count);
        _calls[0].SetResult(0);
        Assert.Equal(5, _calls.Count);
        _calls[4].SetResult(4);
        Assert.False(answers.IsCompleted);
        _calls[3].SetResult(3);
        Assert.Equal([0, 1, 2, 3, 4], await answers.WaitAsync(TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public async Task The_first_failure_is_told_once_the_others_have_ended()
    {
        var answers = Begin(5, atOnce: 3);
        _calls[0].SetException(new InvalidOperationException("the first"));
        _calls[1].SetException(new InvalidOperationException("the second"));
        Assert.False(answers.IsCompleted);
        _calls[2].SetResult(2);
        Assert.Equal("the first", (await Assert.ThrowsAsync<InvalidOperationException>(() => answers.WaitAsync(TimeSpan.FromSeconds(20)))).Message);
        Assert.Equal(3, _calls.Count);
    }

    [Fact]
    public async Task A_source_that_fails_does_so_once_the_calls_have_ended()
    {
        var answers = Answers(Broken(), atOnce: 3);
        Assert.Single(_calls);
        Assert.False(answers.IsCompleted);
        _calls[0].SetResult(0);
        await Assert.ThrowsAsync<InvalidDataException>(() => answers.WaitAsync(TimeSpan.FromSeconds(20)));

        static async IAsyncEnumerable<int> Broken()
        {
            yield return 0;
            await Task.CompletedTask;
            throw new InvalidDataException("line 2");
        }
    }

    [Fact]
    public async Task Less_than_one_at_a_time_is_refused() =>
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => Begin(1, atOnce: 0));

    private Task<List<int>> Begin(int count, int atOnce) => Answers(Enumerable.Range(0, count).ToAsyncEnumerable(), atOnce);

    // Without a context, so that whatever an answer leads to has happened when it is given.
    private Task<List<int>> Answers(IAsyncEnumerable<int> source, int atOnce)
    {
        SynchronizationContext.SetSynchronizationContext(null);
        return Pipelining.InOrderAsync(source, atOnce, Call).ToListAsync().AsTask();
    }

    private Task<int> Call(int element)
    {
        Assert.Equal(_calls.Count, element);
        var call = new TaskCompletionSource<int>();
        _calls.Add(call);
        return call.Task;
    }
}
