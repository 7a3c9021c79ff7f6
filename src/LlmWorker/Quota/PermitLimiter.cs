using System.Threading.RateLimiting;

namespace LlmPipeline;

/// <summary>Calls at once: who finds no permit free waits in line for one. How many there are, those say that derive from it.</summary>
internal abstract class PermitLimiter : RateLimiter
{
    private readonly Queue<Waiter> _waiters = new();
    private bool _isClosed;

    /// <inheritdoc/>
    public override TimeSpan? IdleDuration => null;

    /// <summary>Guards what is protected here, and what those that derive from it have of their own.</summary>
    protected Lock Gate { get; } = new();

    /// <summary>Permits that may be in use now. Asked for inside <see cref="Gate"/>.</summary>
    protected abstract int Permits { get; }

    /// <summary>Permits in use.</summary>
    protected int InFlight { get; private set; }

    /// <summary>Calls in line.</summary>
    protected int Waiting { get; private set; }

    private bool IsFree => Waiting == 0 && InFlight < Permits;

    /// <inheritdoc/>
    protected sealed override RateLimitLease AttemptAcquireCore(int permitCount)
    {
        lock (Gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            return IsFree ? Grant() : new Permit(null);
        }
    }

    /// <inheritdoc/>
    protected sealed override async ValueTask<RateLimitLease> AcquireAsyncCore(int permitCount, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Waiter waiter;
        lock (Gate)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            OnAsked();
            if (IsFree)
                return Grant();
            waiter = new Waiter();
            _waiters.Enqueue(waiter);
            Waiting++;
        }

        OnChanged();
        await using (cancellationToken.UnsafeRegister(static (state, token) => (((PermitLimiter, Waiter))state!).Item1.Leave((((PermitLimiter, Waiter))state!).Item2, token), (this, waiter)))
            return await waiter.Task.ConfigureAwait(false);
    }

    /// <summary>Gives what is free to who waits. Called inside <see cref="Gate"/>.</summary>
    protected void Serve()
    {
        while (InFlight < Permits && _waiters.TryDequeue(out var waiter))
        {
            // Who was cancelled has been counted off already.
            if (waiter.Task.IsCompleted)
                continue;
            Waiting--;
            var permit = Grant();
            if (!waiter.TrySetResult(permit))
                InFlight--;
        }
    }

    /// <summary>No more permits: who waits for one gets an exception.</summary>
    /// <returns>False when it was closed before.</returns>
    protected bool Close()
    {
        lock (Gate)
        {
            if (_isClosed)
                return false;
            _isClosed = true;
            foreach (var waiter in _waiters)
                waiter.TrySetException(new ObjectDisposedException(GetType().Name));
            _waiters.Clear();
            Waiting = 0;
            return true;
        }
    }

    /// <summary>Somebody asks for a permit and is ready to wait. Called inside <see cref="Gate"/>.</summary>
    protected virtual void OnAsked()
    {
    }

    /// <summary>A permit is given. Called inside <see cref="Gate"/>.</summary>
    protected virtual void OnGranted()
    {
    }

    /// <summary>Somebody waits, or a permit came back.</summary>
    protected virtual void OnChanged()
    {
    }

    private Permit Grant()
    {
        InFlight++;
        OnGranted();
        return new Permit(this);
    }

    private void Return()
    {
        lock (Gate)
        {
            InFlight--;
            Serve();
        }

        OnChanged();
    }

    private void Leave(Waiter waiter, CancellationToken cancellationToken)
    {
        lock (Gate)
        {
            if (waiter.TrySetCanceled(cancellationToken))
                Waiting--;
        }
    }

    private sealed class Waiter() : TaskCompletionSource<RateLimitLease>(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Permit(PermitLimiter? limiter) : RateLimitLease
    {
        private PermitLimiter? _limiter = limiter;

        public override bool IsAcquired { get; } = limiter is not null;

        public override IEnumerable<string> MetadataNames => [];

        public override bool TryGetMetadata(string metadataName, out object? metadata)
        {
            metadata = null;
            return false;
        }

        protected override void Dispose(bool disposing) => Interlocked.Exchange(ref _limiter, null)?.Return();
    }
}
