using Microsoft.Win32.SafeHandles;
using static LlmPipeline.Tests.OutputFolder;

namespace LlmPipeline.Tests;

public sealed class FinishingAnOutput : IDisposable
{
    private readonly OutputFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Rows_that_ended_in_any_order_come_out_in_order_each_once()
    {
        int[] order = [.. Enumerable.Range(1, 20_000)];
        new Random(1).Shuffle(order);

        await _folder.RunAsync(order.Length, order.Select(row => row % 7 == 0 ? Failure(row) : Completion(row)));

        Assert.Equal(Lines(row => Completion(row), [.. order.Order().Where(row => row % 7 != 0)]), _folder.Read("out.jsonl"));
        Assert.Equal(Lines(row => Failure(row), [.. order.Order().Where(row => row % 7 == 0)]), _folder.Read("out.errors.jsonl"));
        Assert.Equal(["out.errors.jsonl", "out.jsonl"], _folder.Names());
    }

    [Fact]
    public async Task A_file_that_would_be_empty_does_not_exist()
    {
        await _folder.RunAsync(1, [Failure(1)]);
        Assert.Equal(["out.errors.jsonl"], _folder.Names());

        await _folder.RunAsync(1, [Completion(1)], new OutputOptions { RetryFailed = true });
        Assert.Equal(["out.jsonl"], _folder.Names());
    }

    [Fact]
    public async Task A_row_without_a_line_stops_it_and_nothing_is_lost()
    {
        await using (OutputFile output = await _folder.OpenAsync())
        {
            output.Append(Completion(2));
            InvalidOperationException e = await Assert.ThrowsAsync<InvalidOperationException>(() => output.FinishAsync(2, CancellationToken.None));
            Assert.Contains("Row 1", e.Message, StringComparison.Ordinal);
        }

        Assert.Equal(Text(Completion(2)), _folder.Read("out.jsonl.partial"));
    }

    [Fact]
    public async Task Nothing_is_written_when_everything_stands_already()
    {
        await _folder.RunAsync(2, [Completion(1), Failure(2)]);
        var disk = new FailingDisk();

        await using (OutputFile output = await _folder.OpenAsync(disk: disk))
        {
            disk.StepsUntilFailure = int.MaxValue;
            await output.FinishAsync(2, CancellationToken.None);
        }

        Assert.DoesNotContain(disk.Steps, step => step.StartsWith("write", StringComparison.Ordinal) || step.StartsWith("replace", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_lock_is_held_until_it_is_closed()
    {
        await using OutputFile output = await _folder.OpenAsync();
        output.Append(Completion(1));
        await output.FinishAsync(1, CancellationToken.None);

        await _folder.RefusedAsync();
        Assert.Throws<InvalidOperationException>(() => output.Append(Completion(2)));
        await Assert.ThrowsAsync<InvalidOperationException>(() => output.FinishAsync(1, CancellationToken.None));
    }

    [Fact]
    public async Task A_kill_between_any_two_steps_is_repaired_by_running_again()
    {
        for (int steps = 0; ; steps++)
        {
            using var folder = new OutputFolder();
            folder.Write("out.jsonl", Lines(row => Completion(row), 1, 3));
            folder.Write("out.errors.jsonl", Lines(row => Failure(row), 2, 4, 6));
            folder.Write("out.jsonl.partial", Text(Completion(7)), Text(Completion(2)), Text(Failure(4, "again")), Text(Failure(5)));
            bool isKilled = await FinishWithAsync(folder, steps, CancellationToken.None);

            await using (OutputFile output = await folder.OpenAsync())
            {
                Assert.Equal((4, 3), (output.Completed, output.Failed));
                await output.FinishAsync(7, CancellationToken.None);
            }

            Assert.Equal(Lines(row => Completion(row), 1, 2, 3, 7), folder.Read("out.jsonl"));
            Assert.Equal(Text(Failure(4, "again")) + Text(Failure(5)) + Text(Failure(6)), folder.Read("out.errors.jsonl"));
            Assert.Equal(["out.errors.jsonl", "out.jsonl"], folder.Names());
            if (!isKilled)
            {
                Assert.True(steps >= 7, $"only {steps} steps were tried");
                return;
            }
        }
    }

    [Fact]
    public async Task A_kill_while_the_last_error_goes_is_repaired_too()
    {
        for (int steps = 0; ; steps++)
        {
            using var folder = new OutputFolder();
            folder.Write("out.errors.jsonl", Lines(row => Failure(row), 1, 2));
            folder.Write("out.jsonl.partial", Lines(row => Completion(row), 2, 1));
            bool isKilled = await FinishWithAsync(folder, steps, CancellationToken.None);

            await folder.RunAsync(2, []);

            Assert.Equal(Lines(row => Completion(row), 1, 2), folder.Read("out.jsonl"));
            Assert.Equal(["out.jsonl"], folder.Names());
            if (!isKilled)
                return;
        }
    }

    /// <summary>Finishes on a disk that dies after some steps. True when it died.</summary>
    private static async Task<bool> FinishWithAsync(OutputFolder folder, int steps, CancellationToken cancellationToken)
    {
        var disk = new FailingDisk();
        OutputFile output = await folder.OpenAsync(disk: disk);
        disk.StepsUntilFailure = steps;
        try
        {
            await output.FinishAsync(1, cancellationToken);
            disk.StepsUntilFailure = int.MaxValue;
            await output.DisposeAsync();
            return false;
        }
        catch (OutputException)
        {
            // A killed process removes nothing either: on this disk, closing does no more than giving the lock free.
            await Assert.ThrowsAsync<OutputException>(async () => await output.DisposeAsync());
            return true;
        }
    }

    [Fact]
    public async Task A_full_disk_is_told_with_path_and_reason_and_no_line_is_forgotten()
    {
        var disk = new FailingDisk();
        await using OutputFile output = await _folder.OpenAsync(disk: disk);
        output.Append(Completion(1));
        await output.FlushAsync(CancellationToken.None);
        output.Append(Completion(2));
        disk.StepsUntilFailure = 0;

        OutputException e = await Assert.ThrowsAsync<OutputException>(async () => await output.FlushAsync(CancellationToken.None));
        Assert.False(e.Refused);
        Assert.Equal($"{_folder.At("out.jsonl.partial")} cannot be written: No space left on device", e.Message);
        output.Append(Completion(3));
        Assert.NotEqual(Lines(row => Completion(row), 1, 2, 3), _folder.Read("out.jsonl.partial"));

        disk.StepsUntilFailure = int.MaxValue;
        await output.FlushAsync(CancellationToken.None);
        Assert.Equal(Lines(row => Completion(row), 1, 2, 3), _folder.Read("out.jsonl.partial"));
    }

    [Fact]
    public async Task A_full_disk_at_the_end_leaves_the_checkpoint_and_the_old_files()
    {
        _folder.Write("out.jsonl", Lines(row => Completion(row), 1));
        var disk = new FailingDisk();
        await using (OutputFile output = await _folder.OpenAsync(disk: disk))
        {
            output.Append(Completion(2));
            await output.FlushAsync(CancellationToken.None);
            disk.StepsUntilFailure = 0;
            OutputException e = await Assert.ThrowsAsync<OutputException>(() => output.FinishAsync(2, CancellationToken.None));
            Assert.Contains("No space left on device", e.Message, StringComparison.Ordinal);
            disk.StepsUntilFailure = int.MaxValue;
        }

        Assert.Equal(["out.jsonl", "out.jsonl.partial"], _folder.Names());
        Assert.Equal(Lines(row => Completion(row), 1), _folder.Read("out.jsonl"));
        Assert.Equal(Lines(row => Completion(row), 2), _folder.Read("out.jsonl.partial"));
    }

    [Fact]
    public async Task A_results_file_changed_by_somebody_else_meanwhile_is_not_made_worse()
    {
        _folder.Write("out.jsonl", Lines(row => Completion(row), 1, 2));
        await using (OutputFile output = await _folder.OpenAsync())
        {
            output.Append(Completion(3));
            await output.FlushAsync(CancellationToken.None);
            _folder.Write("out.jsonl", "gone\n");

            OutputException e = await Assert.ThrowsAsync<OutputException>(() => output.FinishAsync(3, CancellationToken.None));
            Assert.Contains("changed by somebody else", e.Message, StringComparison.Ordinal);
        }

        Assert.Equal("gone\n", _folder.Read("out.jsonl"));
        Assert.Equal(Lines(row => Completion(row), 3), _folder.Read("out.jsonl.partial"));
    }

    [Fact]
    public async Task Threads_may_append_while_others_flush()
    {
        await using (OutputFile output = await _folder.OpenAsync())
        {
            await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(async () =>
            {
                for (int i = 1; i <= 500; i++)
                {
                    output.Append(Completion((thread * 500) + i));
                    if (i % 50 == 0)
                        await output.FlushAsync(CancellationToken.None);
                }
            })));
            await output.FinishAsync(2000, CancellationToken.None);
        }

        Assert.Equal(Lines(row => Completion(row), [.. Enumerable.Range(1, 2000)]), _folder.Read("out.jsonl"));
    }

    /// <summary>A disk that is full, or gone, after so many steps; a write that fails leaves its first half.</summary>
    private sealed class FailingDisk : OutputDisk
    {
        public int StepsUntilFailure { get; set; } = int.MaxValue;

        public List<string> Steps { get; } = [];

        public override void Write(SafeFileHandle file, ReadOnlySpan<byte> bytes, long offset)
        {
            if (StepsUntilFailure == 0)
                base.Write(file, bytes[..(bytes.Length / 2)], offset);
            Step("write");
            base.Write(file, bytes, offset);
        }

        public override void Sync(SafeFileHandle file)
        {
            Step("sync");
            base.Sync(file);
        }

        public override void Truncate(SafeFileHandle file, long length)
        {
            Step("truncate");
            base.Truncate(file, length);
        }

        public override void Replace(string from, string to)
        {
            Step("replace " + to);
            base.Replace(from, to);
        }

        public override void Delete(string path)
        {
            Step("delete " + path);
            base.Delete(path);
        }

        public override void SyncFolder(string path)
        {
            Step("sync folder");
            base.SyncFolder(path);
        }

        private void Step(string step)
        {
            if (StepsUntilFailure == 0)
                throw new IOException("No space left on device : 'somewhere'", 28);
            StepsUntilFailure -= StepsUntilFailure == int.MaxValue ? 0 : 1;
            Steps.Add(step);
        }
    }
}
