using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using static LlmPipeline.Tests.OutputFolder;

namespace LlmPipeline.Tests;

public sealed class OwningAnOutput : IDisposable
{
    private readonly OutputFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task A_second_run_is_refused_while_the_first_holds_the_output()
    {
        await using OutputFile first = await _folder.OpenAsync();

        OutputException e = await _folder.RefusedAsync();

        Assert.Contains("another run is writing", e.Message, StringComparison.Ordinal);
        Assert.Contains("out.jsonl.partial", e.Message, StringComparison.Ordinal);
        Assert.Equal(["out.jsonl.partial"], _folder.Names());
    }

    [Fact]
    public async Task Force_does_not_break_a_lock()
    {
        await using OutputFile first = await _folder.OpenAsync();

        await _folder.RefusedAsync(new OutputOptions { Force = true });
    }

    [Fact]
    public async Task Another_process_is_refused_too_and_its_kill_gives_the_output_free()
    {
        _folder.Write("out.jsonl.partial", Lines(row => Completion(row), 1));
        // flock(1) takes the same lock as another llmpipe would.
        using var other = Process.Start(new ProcessStartInfo("flock", ["-x", _folder.At("out.jsonl.partial"), "-c", "echo held; exec cat"])
        {
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
        })!;
        Assert.Equal("held", await other.StandardOutput.ReadLineAsync());

        await _folder.RefusedAsync();
        other.Kill(entireProcessTree: true);
        await other.StandardOutput.ReadToEndAsync();

        await using OutputFile mine = await _folder.OpenAsync();
        Assert.Equal(1, mine.Completed);
    }

    [Fact]
    public async Task A_run_that_wrote_nothing_leaves_nothing()
    {
        await using (OutputFile output = await _folder.OpenAsync())
            Assert.Equal(["out.jsonl.partial"], _folder.Names());

        Assert.Empty(_folder.Names());
    }

    [Fact]
    public void A_checkpoint_deleted_between_opening_and_locking_is_noticed()
    {
        string path = _folder.At("out.jsonl.partial");

        using PartialFile partial = PartialFile.Lock(path, new DeletingDisk(replace: false));

        Assert.True(OutputIdentity.IsAt(partial.Handle, path));
        Assert.Throws<OutputException>(() => PartialFile.Lock(path, new OutputDisk()));
    }

    [Fact]
    public void A_checkpoint_replaced_between_opening_and_locking_is_noticed()
    {
        string path = _folder.At("out.jsonl.partial");

        using PartialFile partial = PartialFile.Lock(path, new DeletingDisk(replace: true));

        Assert.True(OutputIdentity.IsAt(partial.Handle, path));
        Assert.Equal(3, partial.Length);
    }

    [Fact]
    public async Task Closing_twice_is_closing_once()
    {
        OutputFile output = await _folder.OpenAsync();
        await output.DisposeAsync();
        await output.DisposeAsync();
    }

    [Fact]
    public async Task Many_runs_that_fight_for_an_output_never_hold_it_at_the_same_time()
    {
        int holders = 0, held = 0;
        async Task FightAsync()
        {
            for (int round = 0; round < 150; round++)
            {
                try
                {
                    using PartialFile partial = PartialFile.Lock(_folder.At("out.jsonl.partial"), new OutputDisk());
                    Assert.Equal(1, Interlocked.Increment(ref holders));
                    Interlocked.Increment(ref held);
                    await Task.Yield();
                    Interlocked.Decrement(ref holders);
                    partial.DeleteIfEmpty();
                }
                catch (OutputException e) when (e.Refused)
                {
                    await Task.Yield();
                }
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(FightAsync)));

        Assert.True(held > 0);
        Assert.Empty(_folder.Names());
    }

    /// <summary>A former owner deletes the file, the first time that it is opened, before it can be locked.</summary>
    private sealed class DeletingDisk(bool replace) : OutputDisk
    {
        private bool _isDone;

        public override SafeFileHandle OpenLocked(string path)
        {
            SafeFileHandle handle = base.OpenLocked(path);
            if (_isDone)
                return handle;
            _isDone = true;
            File.Delete(path);
            if (replace)
                File.WriteAllText(path, "new");
            return handle;
        }
    }
}
